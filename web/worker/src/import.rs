//! Reading the files of other apps, away from the page.

use mobile_core::Zeroizing;
use mobile_core::transfer::{Format, TransferError, read};

/// The format's code and the import as JSON. A format of `""` is looked for. Errors are stable codes.
pub fn read_import(
    file: &[u8],
    format: &str,
    password: Option<&str>,
) -> Result<(&'static str, Zeroizing<Vec<u8>>), &'static str> {
    let format = if format.is_empty() {
        Format::detect(file)
    } else {
        Format::ALL.into_iter().find(|known| known.code() == format)
    };
    let format = format.ok_or("unknown_format")?;
    let import = read(file, format, password).map_err(TransferError::code)?;
    Ok((format.code(), import.to_json()))
}
