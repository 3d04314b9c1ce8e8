//! HTTPS without a C library: rustls with Graviola, whose assembly is proven and needs Rust alone to build.

use std::path::Path;
use std::sync::Arc;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// How servers are known: by the certificates of `ca`, a PEM file, or by those that the system trusts.
///
/// # Errors
/// A processor without the instructions that the cryptography is made of, no certificate anywhere, a file that holds none.
pub(super) fn config(ca: Option<&Path>) -> Result<TlsConfig, String> {
    usable()?;
    let certificates = match ca {
        Some(file) => from_file(file)?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            let all: Vec<_> = found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
            if all.is_empty() {
                return Err("this system trusts no certificate; give the server's with --ca FILE".to_owned());
            }
            all
        }
    };
    let provider = Arc::new(rustls_graviola::default_provider());
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .build())
}

fn from_file(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|e| format!("--ca {shown}: {e}; give a file of certificates (PEM)"))?;
    let of = |item: Result<PemItem<'static>, ureq::Error>| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let all: Vec<_> = parse_pem(&bytes).filter_map(of).collect();
    match all.is_empty() {
        true => Err(format!("--ca {shown}: it holds no certificate; give a file of certificates (PEM)")),
        false => Ok(all),
    }
}

/// Whether this processor has what Graviola is made of: it would end the program otherwise.
fn usable() -> Result<(), String> {
    #[cfg(target_arch = "x86_64")]
    let missing = !["aes", "ssse3", "avx", "avx2", "adx", "bmi2", "pclmulqdq"].iter().all(|name| match *name {
        "aes" => is_x86_feature_detected!("aes"),
        "ssse3" => is_x86_feature_detected!("ssse3"),
        "avx" => is_x86_feature_detected!("avx"),
        "avx2" => is_x86_feature_detected!("avx2"),
        "adx" => is_x86_feature_detected!("adx"),
        "bmi2" => is_x86_feature_detected!("bmi2"),
        _ => is_x86_feature_detected!("pclmulqdq"),
    });
    #[cfg(target_arch = "aarch64")]
    let missing = !(std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("sha2")
        && std::arch::is_aarch64_feature_detected!("pmull"));
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let missing = true;
    match missing {
        true => Err("https needs instructions that this processor has not; use http".to_owned()),
        false => Ok(()),
    }
}
