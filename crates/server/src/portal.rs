//! The portal: the web pages of PRODUCT.md J0 to J7. Only this module, the API and the console know HTTP.

pub mod pages;
