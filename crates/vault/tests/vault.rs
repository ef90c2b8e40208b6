//! What a thief of the database, a careless operator or a bit of rust on the disk meets.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;
use warifu_vault::{
    DataKeyId, Place, Root, SEALS_PER_GRANT, Sealed, Vault, VaultError, WrappedKey,
};

const SERVICE: &str = "demo-bank";
const SEED: &[u8] = b"a seed of thirty-two bytes, no l";

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn root(seed: u64) -> Root {
    let folder = TempDir::new().unwrap();
    Root::create(&folder.path().join("root.key"), &mut rng(seed)).unwrap()
}

fn vault() -> Vault {
    let vault = Vault::create(&root(1), &mut rng(2)).unwrap().0;
    let key = vault.new_data_key(SERVICE, &mut rng(3)).unwrap();
    vault.add_data_key(&key, SEALS_PER_GRANT).unwrap();
    vault
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "token",
        row,
        column: "sealed_seed",
        parameters: b"sha256,6,60",
    }
}

fn error<T>(result: Result<T, VaultError>) -> VaultError {
    result.err().expect("an error")
}

#[test]
fn what_was_sealed_opens_at_its_place() {
    let vault = vault();
    for secret in [SEED, b"", &[0; 4096]] {
        let sealed = vault
            .seal(SERVICE, &place("t1"), secret, &mut rng(4))
            .unwrap();
        assert_eq!(
            vault.open(&place("t1"), &sealed).unwrap().as_slice(),
            secret
        );
    }
}

#[test]
fn what_is_sealed_does_not_show() {
    let sealed = vault()
        .seal(SERVICE, &place("t1"), SEED, &mut rng(4))
        .unwrap();
    assert!(
        !sealed
            .as_bytes()
            .windows(8)
            .any(|bytes| bytes == &SEED[..8])
    );
    assert_eq!(sealed.as_bytes().len(), 1 + 16 + 12 + SEED.len() + 16);
}

#[test]
fn r63_a_blob_of_another_row_table_column_or_parameters_is_refused() {
    let vault = vault();
    let one = vault
        .seal(SERVICE, &place("t1"), SEED, &mut rng(4))
        .unwrap();
    let two = vault
        .seal(SERVICE, &place("t2"), b"another", &mut rng(5))
        .unwrap();
    assert_eq!(error(vault.open(&place("t2"), &one)), VaultError::Refused);
    assert_eq!(error(vault.open(&place("t1"), &two)), VaultError::Refused);
    let elsewhere = [
        Place {
            table: "issuance",
            ..place("t1")
        },
        Place {
            column: "sealed_device_key",
            ..place("t1")
        },
        Place {
            parameters: b"sha256,8,60",
            ..place("t1")
        },
        Place {
            parameters: b"",
            ..place("t1")
        },
        // The same letters, cut elsewhere.
        Place {
            table: "tokent",
            row: "1",
            ..place("t1")
        },
    ];
    for place in elsewhere {
        assert_eq!(error(vault.open(&place, &one)), VaultError::Refused);
    }
}

#[test]
fn r63_a_blob_with_any_changed_missing_or_added_byte_is_refused() {
    let vault = vault();
    let sealed = vault
        .seal(SERVICE, &place("t1"), SEED, &mut rng(4))
        .unwrap()
        .into_bytes();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let expected = match at {
            0 => VaultError::Format,
            1..=16 => VaultError::UnknownKey,
            _ => VaultError::Refused,
        };
        assert_eq!(
            error(vault.open(&place("t1"), &Sealed::from_stored(changed))),
            expected,
            "byte {at}"
        );
        let cut = Sealed::from_stored(sealed[..at].to_vec());
        assert!(vault.open(&place("t1"), &cut).is_err(), "cut at {at}");
    }
    let longer = Sealed::from_stored([sealed.as_slice(), &[0]].concat());
    assert_eq!(
        error(vault.open(&place("t1"), &longer)),
        VaultError::Refused
    );
}

#[test]
fn one_service_does_not_open_what_another_sealed_under_its_name() {
    let vault = vault();
    let other = vault.new_data_key("other-bank", &mut rng(6)).unwrap();
    vault.add_data_key(&other, SEALS_PER_GRANT).unwrap();
    // The row of a data key, given to another service: it does not load.
    let stolen = WrappedKey {
        service_id: SERVICE.to_owned(),
        ..other
    };
    assert_eq!(error(vault.add_data_key(&stolen, 0)), VaultError::Refused);
    assert_eq!(
        error(vault.seal("no-bank", &place("t1"), SEED, &mut rng(7))),
        VaultError::NoDataKey
    );
}

#[test]
fn a_data_key_with_a_changed_id_or_bytes_is_refused() {
    let vault = vault();
    let key = vault.new_data_key(SERVICE, &mut rng(6)).unwrap();
    for at in 17..key.wrapped.len() {
        let mut wrapped = key.wrapped.clone();
        wrapped[at] ^= 0x80;
        let changed = WrappedKey {
            id: key.id,
            service_id: SERVICE.to_owned(),
            wrapped,
        };
        assert_eq!(error(vault.add_data_key(&changed, 0)), VaultError::Refused);
    }
    let id = DataKeyId::from_text(&"0".repeat(32)).unwrap();
    let renamed = WrappedKey {
        id,
        service_id: SERVICE.to_owned(),
        wrapped: key.wrapped.clone(),
    };
    assert_eq!(error(vault.add_data_key(&renamed, 0)), VaultError::Refused);
}

#[test]
fn keys_survive_a_restart() {
    let (first, kek) = Vault::create(&root(1), &mut rng(2)).unwrap();
    let canary = first.new_canary(&mut rng(3)).unwrap();
    let key = first.new_data_key(SERVICE, &mut rng(4)).unwrap();
    first.add_data_key(&key, 1).unwrap();
    let sealed = first
        .seal(SERVICE, &place("t1"), SEED, &mut rng(5))
        .unwrap();
    let own = Place {
        table: "installation",
        row: "activation",
        column: "value",
        parameters: &[],
    };
    let server_key = first
        .seal_for_installation(&own, b"server key", &mut rng(6))
        .unwrap();

    let again = Vault::open_with(&root(1), &kek).unwrap();
    again.check_canary(&canary).unwrap();
    assert_eq!(
        again.open(&own, &server_key).unwrap().as_slice(),
        b"server key"
    );
    assert_eq!(
        error(again.open(&place("t1"), &sealed)),
        VaultError::UnknownKey
    );
    again.add_data_key(&key, 0).unwrap();
    assert_eq!(again.open(&place("t1"), &sealed).unwrap().as_slice(), SEED);
}

#[test]
fn r65_a_newer_data_key_seals_and_the_older_still_opens() {
    let vault = vault();
    let before = vault
        .seal(SERVICE, &place("t1"), SEED, &mut rng(4))
        .unwrap();
    let newer = vault.new_data_key(SERVICE, &mut rng(5)).unwrap();
    vault.add_data_key(&newer, SEALS_PER_GRANT).unwrap();
    let after = vault
        .seal(SERVICE, &place("t1"), SEED, &mut rng(6))
        .unwrap();
    assert_ne!(before.as_bytes()[1..17], after.as_bytes()[1..17]);
    assert_eq!(vault.open(&place("t1"), &before).unwrap().as_slice(), SEED);
    assert_eq!(vault.open(&place("t1"), &after).unwrap().as_slice(), SEED);
}

#[test]
fn r66_another_root_is_refused() {
    let (vault, kek) = Vault::create(&root(1), &mut rng(2)).unwrap();
    let canary = vault.new_canary(&mut rng(3)).unwrap();
    assert_eq!(
        error(Vault::open_with(&root(9), &kek)),
        VaultError::WrongRoot
    );
    // The same root, another installation's database.
    let (other, _) = Vault::create(&root(1), &mut rng(7)).unwrap();
    assert_eq!(error(other.check_canary(&canary)), VaultError::WrongRoot);
    for at in (0..16).chain(33..kek.len()) {
        let mut changed = kek.clone();
        changed[at] ^= 1;
        assert_eq!(
            error(Vault::open_with(&root(1), &changed)),
            VaultError::WrongRoot,
            "byte {at}"
        );
    }
    assert_eq!(
        error(Vault::open_with(&root(1), &kek[..10])),
        VaultError::Format
    );
}

#[test]
fn r64_a_key_seals_no_more_often_than_it_was_granted() {
    let vault = vault();
    let key = vault.new_data_key(SERVICE, &mut rng(5)).unwrap();
    vault.add_data_key(&key, 2).unwrap();
    assert_eq!(vault.running_low(), [key.id]);
    let seal = |seed| vault.seal(SERVICE, &place("t1"), SEED, &mut rng(seed));
    assert!(seal(1).is_ok());
    assert!(seal(2).is_ok());
    assert_eq!(error(seal(3)), VaultError::GrantUsedUp);
    vault.grant(key.id, SEALS_PER_GRANT).unwrap();
    assert!(seal(4).is_ok());
    assert!(vault.running_low().is_empty());
}

#[test]
fn r64_nonces_do_not_repeat() {
    let vault = vault();
    let mut rng = rng(4);
    let nonces: HashSet<Vec<u8>> = (0..10_000)
        .map(|_| {
            vault
                .seal(SERVICE, &place("t1"), SEED, &mut rng)
                .unwrap()
                .as_bytes()[17..29]
                .to_vec()
        })
        .collect();
    assert_eq!(nonces.len(), 10_000);
}

#[test]
fn a_key_id_is_read_as_it_was_written() {
    let id = vault().new_data_key(SERVICE, &mut rng(5)).unwrap().id;
    assert_eq!(DataKeyId::from_text(&id.to_text()), Some(id));
    for wrong in ["", "00", &"g".repeat(32), &"0".repeat(34)] {
        assert_eq!(DataKeyId::from_text(wrong), None);
    }
}

proptest! {
    #[test]
    fn nothing_made_up_opens(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(vault().open(&place("t1"), &Sealed::from_stored(bytes)).is_err());
    }
}

mod file {
    use super::*;

    fn file(bytes: &[u8], mode: u32) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("root.key");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn r67_a_key_that_only_its_owner_reads_is_taken_and_no_other() {
        for mode in [0o400, 0o600] {
            let (_folder, path) = file(&[7; 32], mode);
            assert!(Root::load(&path).is_ok(), "{mode:o}");
        }
        for mode in [
            0o404, 0o440, 0o444, 0o420, 0o402, 0o410, 0o401, 0o644, 0o666, 0o777,
        ] {
            let (_folder, path) = file(&[7; 32], mode);
            assert_eq!(
                error(Root::load(&path)),
                VaultError::RootExposed { path, mode }
            );
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for length in [0, 1, 31, 33, 64] {
            let (_folder, path) = file(&vec![7; length], 0o400);
            assert_eq!(error(Root::load(&path)), VaultError::RootLength { path });
        }
    }

    #[test]
    fn r66_a_missing_key_is_told_and_not_made() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("root.key");
        assert_eq!(
            error(Root::load(&path)),
            VaultError::RootMissing { path: path.clone() }
        );
        assert!(!path.exists());
        assert!(matches!(
            error(Root::load(folder.path())),
            VaultError::RootUnusable { .. }
        ));
    }

    #[test]
    fn a_new_key_is_for_its_owner_only_and_never_replaces_one() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("root.key");
        let (_, kek) =
            Vault::create(&Root::create(&path, &mut rng(1)).unwrap(), &mut rng(2)).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o400
        );
        assert_eq!(
            error(Root::create(&path, &mut rng(3))),
            VaultError::RootExists { path: path.clone() }
        );
        assert!(Vault::open_with(&Root::load(&path).unwrap(), &kek).is_ok());
    }
}
