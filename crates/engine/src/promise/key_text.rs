//! An order's key as written, only to be shown: short ones, as nearly all are, without a heap
//! block of their own.

/// Bytes of a key that `/api/overdue` can show; longer ones are cut.
pub const OVERDUE_KEY_BYTES: usize = 128;

/// Holds a UUID with its dashes.
const INLINE: usize = 38;

/// See the file's header.
#[derive(Clone, Debug)]
pub enum KeyText {
    /// In place.
    Short {
        /// How many of the bytes are the key.
        length: u8,
        /// UTF-8.
        bytes: [u8; INLINE],
    },
    /// On the heap.
    Long(Box<str>),
}

impl KeyText {
    /// The key, cut to what can be shown.
    pub fn of(key: &str) -> KeyText {
        let key = &key[..key.floor_char_boundary(OVERDUE_KEY_BYTES)];
        if key.len() > INLINE {
            return KeyText::Long(key.into());
        }
        let mut bytes = [0; INLINE];
        bytes[..key.len()].copy_from_slice(key.as_bytes());
        KeyText::Short {
            length: key.len() as u8,
            bytes,
        }
    }

    /// Nothing: of an order that is shown no more.
    pub const EMPTY: KeyText = KeyText::Short {
        length: 0,
        bytes: [0; INLINE],
    };

    /// What is shown, as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            KeyText::Short { length, bytes } => &bytes[..usize::from(*length)],
            KeyText::Long(text) => text.as_bytes(),
        }
    }

    /// What is shown.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("the bytes of a str, whole characters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_were_up_to_the_limit() {
        let uuid = "6f1c2f0e-8d0a-4b6e-9a51-0123456789ab";
        for key in [
            "",
            "o-1",
            uuid,
            &"k".repeat(39),
            &"k".repeat(OVERDUE_KEY_BYTES),
        ] {
            assert_eq!(KeyText::of(key).as_str(), key);
        }
        assert_eq!(KeyText::of(&"ä".repeat(100)).as_str(), "ä".repeat(64));
        assert_eq!(size_of::<KeyText>(), 40);
    }
}
