//! What there is: ids, states, rules and refusals. Pure: no I/O, no clock, no database.

pub mod audit;
pub mod authorization;
pub mod authorization_request;
pub mod checkup;
pub mod client;
pub mod device;
pub mod factor;
pub mod figures;
pub mod id;
pub mod id_token;
pub mod lockout;
pub mod notice;
pub mod password;
pub mod phone;
pub mod postgres_url;
pub mod recovery_code;
pub mod refusal;
pub mod relocation;
pub mod scope;
pub mod search;
pub mod target;
pub mod time;
pub mod token;
pub mod user;
mod words;
