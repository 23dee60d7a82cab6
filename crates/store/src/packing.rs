//! Compression of objects: one zstd frame each. Unpacking stops at a limit, whatever the frame says
//! about itself, so that no object makes the reader take unbounded memory.

use std::io::Read as _;

use zstd::stream::read::Decoder;

/// Level 1: at 10 s between snapshots the time matters more than the last percent of size.
const LEVEL: i32 = 1;

/// How much is set aside before anything was unpacked.
const FIRST_BYTES: u64 = 1 << 16;

/// The largest window (2 to this) that is accepted; our own frames stay far below.
const WINDOW_LOG_MOST: u32 = 27;

/// Compresses.
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, LEVEL).expect("compressing into memory can't fail")
}

/// Decompresses one whole frame of at most `limit` bytes; else what is wrong.
pub(crate) fn unpack(packed: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    let damaged = |error: std::io::Error| format!("can't be decompressed: {error}");
    let mut decoder = Decoder::with_buffer(packed)
        .map_err(damaged)?
        .single_frame();
    decoder.window_log_max(WINDOW_LOG_MOST).map_err(damaged)?;
    let mut bytes = Vec::with_capacity(limit.min(FIRST_BYTES) as usize);
    let mut taken = decoder.by_ref().take(limit.saturating_add(1));
    taken.read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() as u64 > limit {
        return Err(format!("holds more than the {limit} bytes it may"));
    }
    if !decoder.finish().is_empty() {
        return Err("has bytes after its end".to_owned());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked() {
        for length in [0, 1, 1000, 300_000_usize] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * i % 251) as u8).collect();
            let unpacked = unpack(&pack(&bytes), length as u64);
            assert_eq!(unpacked.as_ref(), Ok(&bytes), "{length} bytes");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = pack(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 16, "it is a bomb: {} bytes", bomb.len());
        let refused = unpack(&bomb, 1000).expect_err("it holds more");
        assert_eq!(refused, "holds more than the 1000 bytes it may");
    }

    #[test]
    fn truncated_extended_and_foreign_bytes_are_refused() {
        let packed = pack(&[7; 5000]);
        for end in 0..packed.len() {
            assert!(unpack(&packed[..end], 5000).is_err(), "cut at {end}");
        }
        let extended = [packed.as_slice(), b"x"].concat();
        assert!(unpack(&extended, 5000).is_err(), "something follows");
        assert!(unpack(b"KEPTSNAP", 5000).is_err(), "no frame at all");
    }
}
