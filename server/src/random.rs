//! The one door to randomness: the operating system's generator.

use std::cell::RefCell;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::domain::time::Timestamp;

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness to give: nothing secret can be made without it,
/// so going on would be worse.
pub fn bytes<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0_u8; N]);
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    getrandom::fill(out.as_mut_slice()).expect("the operating system's random generator answers");
    out
}

/// A time-ordered id (UUID version 7, RFC 9562 s5.7): rows made together lie together.
pub fn id(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes_for_id()).into_uuid()
}

const ID_BYTES: usize = 10;

/// How many ids' bytes a thread asks for at once: ids are no secrets, and a code takes several.
const IDS: usize = 32;

thread_local! {
    static FOR_IDS: RefCell<Vec<[u8; ID_BYTES]>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that no other id gets.
fn bytes_for_id() -> [u8; ID_BYTES] {
    FOR_IDS.with_borrow_mut(|left| {
        if left.is_empty() {
            let drawn = bytes::<{ IDS * ID_BYTES }>();
            let (ids, _) = drawn.as_chunks();
            left.extend_from_slice(ids);
        }
        left.pop().expect("there are some since they were drawn")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_ids_are_one_whichever_thread_makes_them() {
        let now = Timestamp::from_millis(1);
        let make = || (0..3 * IDS).map(|_| id(now)).collect::<Vec<_>>();
        let ids: Vec<Uuid> = std::thread::scope(|threads| {
            let others: Vec<_> = (0..3).map(|_| threads.spawn(make)).collect();
            others.into_iter().flat_map(|thread| thread.join().expect("ids")).chain(make()).collect()
        });
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 12 * IDS);
    }
}
