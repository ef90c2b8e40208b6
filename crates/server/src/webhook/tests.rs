//! Signatures against the specification's own vector, and where a webhook may lead.

use std::net::IpAddr;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::{AllowedNetworks, Secret, Signer, Target};

/// The vector of the reference libraries of the specification.
const VECTOR_SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const VECTOR_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const VECTOR_AT_S: i64 = 1_614_265_330;
const VECTOR_BODY: &str = r#"{"test": 2432232314}"#;
const VECTOR_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn vector_secret() -> Secret {
    Secret::from_bytes(Zeroizing::new(
        BASE64.decode(VECTOR_SECRET.as_bytes()).unwrap(),
    ))
}

#[test]
fn the_signature_is_the_one_of_the_specifications_vector() {
    assert_eq!(
        vector_secret().sign(VECTOR_ID, VECTOR_AT_S, VECTOR_BODY),
        VECTOR_SIGNATURE
    );
}

#[test]
fn while_a_rotation_lasts_both_secrets_sign() {
    let signer = Signer {
        current: Secret::generate(),
        old: Some(vector_secret()),
    };
    let both = signer.sign(VECTOR_ID, VECTOR_AT_S, VECTOR_BODY);
    let (new, old) = both.split_once(' ').unwrap();
    assert_eq!(old, VECTOR_SIGNATURE);
    assert!(new.starts_with("v1,") && new != old);
}

#[test]
fn a_secret_is_shown_with_its_prefix_and_is_never_the_same() {
    let (one, other) = (Secret::generate(), Secret::generate());
    let text = one.shown();
    let bytes = BASE64.decode(text.strip_prefix("whsec_").unwrap().as_bytes());
    assert_eq!(bytes.unwrap(), one.expose());
    assert_eq!(one.expose().len(), 32);
    assert_ne!(one.expose(), other.expose());
}

#[test]
fn r82_only_public_addresses_may_be_told_unless_a_network_is_allowed() {
    let none = AllowedNetworks::default();
    let some = AllowedNetworks::parse(&["10.1.0.0/16", "127.0.0.1", "fd00::/8"]).unwrap();
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    for public in ["8.8.8.8", "172.32.0.1", "2400:4050::1", "::ffff:8.8.8.8"] {
        assert!(none.permit(address(public)), "{public}");
    }
    for private in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "fe80::1",
        "fc00::1",
        "fd00::1",
        "ff02::1",
    ] {
        assert!(!none.permit(address(private)), "{private}");
    }
    for allowed in ["10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3", "fd12::1"] {
        assert!(some.permit(address(allowed)), "{allowed}");
    }
    for other in ["10.2.0.1", "127.0.0.2", "169.254.169.254", "fe80::1"] {
        assert!(!some.permit(address(other)), "{other}");
    }
}

#[test]
fn a_webhook_leads_to_https_or_to_this_machine() {
    let none = AllowedNetworks::default();
    let here = AllowedNetworks::parse(&["127.0.0.0/8", "::1"]).unwrap();
    for sound in [
        "https://bank.example/hooks?from=otp",
        "https://bank.example:8443",
        "https://[2400:4050::1]/x",
    ] {
        assert!(Target::parse(sound, &none).is_ok(), "{sound}");
    }
    for local in [
        "http://127.0.0.1:8080/x",
        "http://localhost/",
        "http://[::1]:1/",
    ] {
        assert!(Target::parse(local, &here).is_ok(), "{local}");
        assert!(Target::parse(local, &none).is_err(), "{local}");
    }
    for wrong in [
        "http://bank.example/",
        "ftp://bank.example/",
        "https://user@bank.example/",
        "https://bank.example/#part",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://localhost/",
        "/hooks",
        "bank.example",
        "",
    ] {
        assert!(Target::parse(wrong, &none).is_err(), "{wrong}");
    }
    let long = format!("https://bank.example/{}", "a".repeat(2048));
    assert!(Target::parse(&long, &none).is_err());
}
