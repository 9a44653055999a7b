//! Mails: what they say, and how they go out. When and to whom is `app/outbox`'s business.

mod render;
mod transport;

pub use render::{Letter, render};
pub use transport::{Parcel, Refused, Transport, Trust, must_be_sender};
