//! What was committed with an offset, whoever did it: Kafka calls it metadata and takes any bytes.
//!
//! rdkafka's own reader panics on bytes that aren't UTF-8, so they are read from librdkafka's list.
//! What isn't UTF-8 comes with replacement characters, which no note of Kept's has.
#![allow(unsafe_code)]

use std::slice;

use rdkafka::TopicPartitionList;

/// The metadata of each entry of the list, in its order; empty without.
pub(crate) fn all(list: &TopicPartitionList) -> Vec<String> {
    // SAFETY: the list is alive; it has `cnt` elements, each with `metadata_size` bytes unless the
    // pointer is null. Nothing borrowed from it leaves.
    unsafe {
        let native = &*list.ptr();
        let count = usize::try_from(native.cnt).unwrap_or(0);
        let text = |index: usize| {
            let element = &*native.elems.add(index);
            if element.metadata.is_null() || element.metadata_size == 0 {
                return String::new();
            }
            let bytes = slice::from_raw_parts(
                element.metadata.cast_const().cast::<u8>(),
                element.metadata_size,
            );
            String::from_utf8_lossy(bytes).into_owned()
        };
        (0..count).map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_read() {
        let mut list = TopicPartitionList::new();
        list.add_partition("shop", 0);
        for (partition, text) in [(1, "kept1 and more"), (2, "xy")] {
            list.add_partition("shop", partition).set_metadata(text);
        }
        // SAFETY: the third element's metadata are two bytes that belong to the list alone.
        unsafe {
            let element = &*(*list.ptr()).elems.add(2);
            element.metadata.cast::<u8>().write(0xff);
        }
        assert_eq!(all(&list), ["", "kept1 and more", "\u{fffd}y"]);
        assert!(pipeline::note::Note::parse("\u{fffd}y").is_none());
    }
}
