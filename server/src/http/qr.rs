//! QR codes as pictures: dark on light whatever a page's colours are, for eyes and cameras.

use qrcode::render::svg::Color;

use crate::error::Fault;

/// An SVG document, 240 pixels wide at least.
pub(super) fn svg(text: &str) -> Result<String, Fault> {
    let code = qrcode::QrCode::new(text).map_err(Fault::while_("drawing a QR code"))?;
    Ok(code
        .render::<Color<'_>>()
        .min_dimensions(240, 240)
        .dark_color(Color("#000"))
        .light_color(Color("#fff"))
        .build())
}

/// The same to be written into a page; nothing, where there is more to say than a QR code holds. The page has the text in words as well.
pub(super) fn in_page(text: &str) -> String {
    let svg = svg(text).inspect_err(|error| tracing::error!(%error, "a page has no QR code"));
    svg.unwrap_or_default().replacen("<?xml version=\"1.0\" standalone=\"yes\"?>", "", 1)
}
