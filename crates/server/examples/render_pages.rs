//! Writes every page with sample content to a folder, to look at it: `cargo run -p warifu --example render_pages -- DIR`.
//!
//! The style sheets and scripts are linked by a path relative to the file, so that a browser opens the pages without a server.

use std::{env, fs, path::PathBuf};

use warifu_server::portal::pages::samples::samples;
use warifu_server::text::{LANGUAGES, Text};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("usage: render_pages DIR")?);
    let assets = format!("{}/assets/", env!("CARGO_MANIFEST_DIR"));
    for language in LANGUAGES {
        let folder = folder.join(language.as_str());
        fs::create_dir_all(&folder)?;
        for sample in samples(Text::new(language))? {
            let html = sample
                .html
                .replace("\"/assets/", &format!("\"file://{assets}"));
            fs::write(folder.join(sample.name).with_extension("html"), html)?;
        }
    }
    Ok(())
}
