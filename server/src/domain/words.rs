//! Enums that are stored and shown as a word.

/// Defines such an enum with `as_str`, `FromStr` (an unknown word names the field) and `Display`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $field:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// As stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::refusal::Invalid;

            fn from_str(word: &str) -> Result<Self, $crate::domain::refusal::Invalid> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::domain::refusal::Invalid::new($field, concat!("is none of", $(" ", $word),+))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;
