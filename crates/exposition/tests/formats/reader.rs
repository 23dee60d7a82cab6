//! Reads the protobuf format by the numbers that Prometheus' metrics.proto gives its fields, byte by
//! byte and apart from the code that writes it: a wrong number is found here.
//!
//! A field that Kept doesn't write, a wire type that isn't the field's, bytes left over: each panics.

/// What follows a field's number.
enum Wire<'a> {
    Varint(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    #[track_caller]
    fn varint(self) -> u64 {
        match self {
            Wire::Varint(value) => value,
            _ => panic!("not a varint"),
        }
    }

    #[track_caller]
    fn double(self) -> f64 {
        match self {
            Wire::Double(value) => value,
            _ => panic!("not a double"),
        }
    }

    #[track_caller]
    fn bytes(self) -> &'a [u8] {
        match self {
            Wire::Bytes(bytes) => bytes,
            _ => panic!("not bytes"),
        }
    }

    #[track_caller]
    fn text(self) -> String {
        String::from_utf8(self.bytes().to_vec()).expect("text is UTF-8")
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a varint goes on");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes");
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

/// The fields of a message, in the order they are written.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Wire<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Wire::Varint(varint(&mut bytes)),
            1 => {
                let eight = take(&mut bytes, 8).try_into().expect("eight bytes");
                Wire::Double(f64::from_le_bytes(eight))
            }
            2 => {
                let length = varint(&mut bytes) as usize;
                Wire::Bytes(take(&mut bytes, length))
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A `MetricFamily`.
#[derive(Default, Debug)]
pub struct Family {
    pub name: String,
    pub help: String,
    pub kind: Option<u64>,
    pub unit: Option<String>,
    pub metrics: Vec<Metric>,
}

/// A `Metric`: exactly one of counter, gauge and histogram.
#[derive(Default, Debug)]
pub struct Metric {
    pub labels: Vec<(String, String)>,
    pub counter: Option<f64>,
    pub gauge: Option<f64>,
    pub histogram: Option<Histogram>,
    /// Microseconds.
    pub created: Option<i64>,
}

/// A `Histogram`.
#[derive(Default, Debug)]
pub struct Histogram {
    pub count: u64,
    pub sum: f64,
    /// Upper bound and cumulative count.
    pub classic: Vec<(f64, u64)>,
    pub schema: Option<i64>,
    pub zero_threshold: f64,
    pub zero_count: u64,
    pub spans: Vec<(i64, u64)>,
    pub deltas: Vec<i64>,
}

impl Histogram {
    /// Number and count of each native bucket, also of those that are written empty.
    pub fn native(&self) -> Vec<(i64, i64)> {
        let mut deltas = self.deltas.iter();
        let (mut next, mut count) = (0, 0);
        let mut buckets = Vec::new();
        for (offset, length) in &self.spans {
            next += offset;
            for _ in 0..*length {
                count += deltas.next().expect("a difference for each bucket");
                buckets.push((next, count));
                next += 1;
            }
        }
        assert_eq!(deltas.next(), None, "differences without a bucket");
        buckets
    }
}

/// The families of a whole answer.
pub fn read(mut bytes: &[u8]) -> Vec<Family> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        let length = varint(&mut bytes) as usize;
        families.push(family(take(&mut bytes, length)));
    }
    families
}

fn family(bytes: &[u8]) -> Family {
    let mut family = Family::default();
    for (number, value) in fields(bytes) {
        match number {
            1 => family.name = value.text(),
            2 => family.help = value.text(),
            3 => family.kind = Some(value.varint()),
            4 => family.metrics.push(metric(value.bytes())),
            5 => family.unit = Some(value.text()),
            other => panic!("MetricFamily has no field {other}"),
        }
    }
    family
}

fn metric(bytes: &[u8]) -> Metric {
    let mut metric = Metric::default();
    for (number, value) in fields(bytes) {
        match number {
            1 => metric.labels.push(label(value.bytes())),
            2 => metric.gauge = Some(number_of(value.bytes()).0),
            3 => {
                let (value, created) = number_of(value.bytes());
                (metric.counter, metric.created) = (Some(value), created);
            }
            7 => {
                let (value, created) = histogram(value.bytes());
                (metric.histogram, metric.created) = (Some(value), created);
            }
            other => panic!("Metric has no field {other}"),
        }
    }
    metric
}

fn label(bytes: &[u8]) -> (String, String) {
    let mut label = (String::new(), String::new());
    for (number, value) in fields(bytes) {
        match number {
            1 => label.0 = value.text(),
            2 => label.1 = value.text(),
            other => panic!("LabelPair has no field {other}"),
        }
    }
    label
}

/// A `Gauge` or a `Counter`, and when it was created.
fn number_of(bytes: &[u8]) -> (f64, Option<i64>) {
    let (mut found, mut created) = (None, None);
    for (number, value) in fields(bytes) {
        match number {
            1 => found = Some(value.double()),
            3 => created = Some(timestamp(value.bytes())),
            other => panic!("Counter has no field {other}"),
        }
    }
    (found.expect("a value"), created)
}

/// In microseconds.
fn timestamp(bytes: &[u8]) -> i64 {
    let mut micros = 0;
    for (number, value) in fields(bytes) {
        match number {
            1 => micros += value.varint() as i64 * 1_000_000,
            2 => micros += value.varint() as i64 / 1000,
            other => panic!("Timestamp has no field {other}"),
        }
    }
    micros
}

fn histogram(bytes: &[u8]) -> (Histogram, Option<i64>) {
    let (mut histogram, mut created) = (Histogram::default(), None);
    for (number, value) in fields(bytes) {
        match number {
            1 => histogram.count = value.varint(),
            2 => histogram.sum = value.double(),
            3 => histogram.classic.push(bucket(value.bytes())),
            5 => histogram.schema = Some(zigzag(value.varint())),
            6 => histogram.zero_threshold = value.double(),
            7 => histogram.zero_count = value.varint(),
            12 => histogram.spans.push(span(value.bytes())),
            13 => {
                let mut packed = value.bytes();
                while !packed.is_empty() {
                    histogram.deltas.push(zigzag(varint(&mut packed)));
                }
            }
            15 => created = Some(timestamp(value.bytes())),
            other => panic!("Kept writes no field {other} of Histogram"),
        }
    }
    (histogram, created)
}

/// Upper bound and cumulative count.
fn bucket(bytes: &[u8]) -> (f64, u64) {
    let mut bucket = (f64::NAN, 0);
    for (number, value) in fields(bytes) {
        match number {
            1 => bucket.1 = value.varint(),
            2 => bucket.0 = value.double(),
            other => panic!("Bucket has no field {other}"),
        }
    }
    bucket
}

/// Offset and length.
fn span(bytes: &[u8]) -> (i64, u64) {
    let mut span = (0, 0);
    for (number, value) in fields(bytes) {
        match number {
            1 => span.0 = zigzag(value.varint()),
            2 => span.1 = value.varint(),
            other => panic!("BucketSpan has no field {other}"),
        }
    }
    span
}
