//! What is kept of the tokens, and that nothing but their own file passes for it.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use crate::parties::{Killed, Run, Server, add, kept, rng};
use warifu_authenticator::file::{FileError, TokenFolder};
use warifu_authenticator::sealed::{OpenError, SealingKey};
use warifu_authenticator::{Name, Tokens};

const PASSWORD: &str = "604817";

fn open(folder: &Path) -> Result<Tokens, FileError> {
    TokenFolder::open(folder, &mut rng(50), || {}).map(|(_, tokens)| tokens)
}

/// A folder with one active token.
fn with_one_token() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let run = add(
        &mut Server::issuing(PASSWORD),
        folder.path(),
        PASSWORD,
        Killed::Never,
        10,
    );
    assert!(matches!(run, Run::Active(_)));
    folder
}

#[test]
fn tokens_are_read_back_as_they_were_kept() {
    let folder = with_one_token();
    let mut rng = rng(51);
    let (held, mut tokens) = TokenFolder::open(folder.path(), &mut rng, || {}).unwrap();
    let id = tokens.iter().next().unwrap().id().clone();
    assert!(tokens.rename(&id, Name::parse(" 本番用 ").unwrap()));
    held.save(&tokens, &mut rng).unwrap();
    drop(held);
    let again = kept(folder.path());
    assert!(again.to_bytes() == tokens.to_bytes());
    assert_eq!(again.find(&id).unwrap().name().as_str(), "本番用");
}

#[cfg(unix)]
#[test]
fn folder_and_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a").join("b");
    let run = add(
        &mut Server::issuing(PASSWORD),
        &folder,
        PASSWORD,
        Killed::Never,
        10,
    );
    assert!(matches!(run, Run::Active(_)));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["key", "lock", "tokens"]);
}

#[cfg(unix)]
#[test]
fn files_that_others_may_read_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    for (name, mode) in [("key", 0o640), ("tokens", 0o604), ("", 0o777)] {
        let folder = with_one_token();
        let path = folder.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(
            open(folder.path()),
            Err(FileError::OpenToOthers { mode: found, .. }) if found == mode
        ));
    }
}

#[test]
fn a_cut_or_changed_file_is_refused_and_left_as_it_is() {
    let folder = with_one_token();
    let path = folder.path().join("tokens");
    let right = fs::read(&path).unwrap();
    let mut wrong = vec![
        Vec::new(),
        right[..10].to_vec(),
        right[..right.len() - 1].to_vec(),
    ];
    wrong.push([right.as_slice(), b"0"].concat());
    wrong.push(b"notes of somebody else".to_vec());
    wrong.push(vec![b'w'; 1 << 20]);
    for place in [0, 15, 16, 30, right.len() - 1] {
        let mut changed = right.clone();
        changed[place] ^= 0x10;
        wrong.push(changed);
    }
    for content in wrong {
        fs::write(&path, &content).unwrap();
        assert!(matches!(open(folder.path()), Err(FileError::Sealed { .. })));
        assert!(fs::read(&path).unwrap() == content);
    }
    fs::write(&path, &right).unwrap();
    assert_eq!(open(folder.path()).unwrap().len(), 1);
}

#[test]
fn no_single_changed_or_missing_byte_opens() {
    let folder = with_one_token();
    let sealed = fs::read(folder.path().join("tokens")).unwrap();
    let kept_key = fs::read(folder.path().join("key")).unwrap();
    let (_, key) = kept_key
        .split_last_chunk::<{ SealingKey::BYTES }>()
        .unwrap();
    let key = SealingKey::from_bytes(*key);
    assert_eq!(Tokens::open(&sealed, &key).unwrap().len(), 1);
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert!(Tokens::open(&changed, &key).is_err(), "changed at {place}");
        assert!(
            Tokens::open(&sealed[..place], &key).is_err(),
            "cut at {place}"
        );
    }
    let other = SealingKey::new(&mut rng(60));
    assert_eq!(
        Tokens::open(&sealed, &other).err(),
        Some(OpenError::Damaged)
    );
}

#[test]
fn no_secret_stands_in_clear_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    add(&mut server, folder.path(), PASSWORD, Killed::Never, 10);
    let seed = server.seeds[0].expose();
    let user_id = server.order.token_user_id.as_str().as_bytes();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        for secret in [seed, user_id, PASSWORD.as_bytes()] {
            assert!(!content.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[test]
fn a_missing_key_is_never_replaced_beside_tokens() {
    let folder = with_one_token();
    fs::remove_file(folder.path().join("key")).unwrap();
    assert!(matches!(
        open(folder.path()),
        Err(FileError::KeyMissing { .. })
    ));
    assert!(!folder.path().join("key").exists());
}

#[test]
fn a_key_that_is_none_is_refused() {
    for content in [b"".as_slice(), b"warifu key 1\nshort", &[0; 45], &[0; 4096]] {
        let folder = with_one_token();
        fs::write(folder.path().join("key"), content).unwrap();
        assert!(matches!(
            open(folder.path()),
            Err(FileError::KeyForeign { .. })
        ));
    }
}

#[test]
fn a_write_that_was_cut_short_is_forgotten() {
    let folder = with_one_token();
    fs::write(folder.path().join("tokens.new"), b"half").unwrap();
    let mut rng = rng(51);
    let (held, tokens) = TokenFolder::open(folder.path(), &mut rng, || {}).unwrap();
    assert_eq!(tokens.len(), 1);
    held.save(&tokens, &mut rng).unwrap();
    assert!(!folder.path().join("tokens.new").exists());
}

#[test]
fn a_second_process_waits_for_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (held, _) = TokenFolder::open(&path, &mut rng(52), || {}).unwrap();
    let (sender, waits) = mpsc::channel();
    let second = std::thread::spawn(move || {
        let opened = TokenFolder::open(&path, &mut rng(53), || sender.send(()).unwrap());
        opened.map(|(_, tokens)| tokens.len()).unwrap()
    });
    waits.recv().unwrap();
    drop(held);
    assert_eq!(second.join().unwrap(), 0);
}

#[test]
fn a_name_cannot_steer_a_terminal() {
    let long = "あ".repeat(Name::LENGTH_MAX + 1);
    for wrong in ["", "  ", "a\u{1b}[2J", "a\nb", "a\u{202e}b", &long] {
        assert!(Name::parse(wrong).is_err(), "{wrong:?}");
    }
    assert!(Name::parse(&long[..3 * Name::LENGTH_MAX]).is_ok());
}
