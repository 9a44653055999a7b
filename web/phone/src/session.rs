//! The open vault, and every way in which it comes, changes and goes.
//!
//! 1. [`App::begin`] looks for a file: none, one without a lock, or a locked one.
//! 2. [`App::unlock_by_passphrase`] and [`App::unlock_by_device`] open it. Argon2id runs in the worker; the master key never
//!    leaves this thread.
//! 3. [`App::change`] is the only way to change anything: edit, write the new file, and only then show the change. What could
//!    not be written did not happen.
//! 4. [`App::lock`] drops the vault, which wipes its keys and secrets, and ends the worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::lock::Mutex;
use js_sys::{Array, Uint8Array};
use leptos::prelude::*;
use mobile_core::Zeroizing;
use mobile_core::vault::{
    Content, ContentError, Cost, DeviceKey, EntryId, Locked, NewSlot, Opens, Passphrase, Random, Slot,
    SlotId, SlotKind, Stretch, StretchedKey, Vault, VaultError, is_plain, read_plain, write_plain,
};
use wasm_bindgen::JsValue;

use crate::app::{App, Phase};
use crate::glue::{self, integer, items, member, random, to_bytes};
use crate::server::Standing;
use crate::settings::{self, Settings};
use crate::trouble::Trouble;

/// What is open: a vault with its master key, or a content that its owner keeps without a lock.
enum Holder {
    Locked(Box<Vault>),
    Plain(Content),
}

/// An open vault and the revision at which the browser keeps its file.
pub(crate) struct Session {
    holder: Holder,
    stored: f64,
}

impl Session {
    fn content(&self) -> &Content {
        match &self.holder {
            Holder::Locked(vault) => vault.content(),
            Holder::Plain(content) => content,
        }
    }

    fn content_mut(&mut self) -> &mut Content {
        match &mut self.holder {
            Holder::Locked(vault) => vault.content_mut(),
            Holder::Plain(content) => content,
        }
    }

    /// The bytes to keep.
    fn file(&mut self) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let file = match &mut self.holder {
            Holder::Locked(vault) => vault.save(Random::new(random())).map(Zeroizing::new),
            Holder::Plain(content) => write_plain(content),
        };
        file.map_err(unwritten)
    }
}

/// Why a content could not be written. Each of its parts has been checked, so it can only be too much of it all.
fn unwritten(error: VaultError) -> Trouble {
    match error {
        VaultError::TooLarge | VaultError::Content(_) => Trouble::new("vault_full"),
        other => other.into(),
    }
}

/// What opens the vault that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    pub(crate) passphrase: bool,
    /// Slots of devices, by id.
    pub(crate) devices: Vec<SlotId>,
}

impl Ways {
    fn of(slots: &[Slot]) -> Self {
        let is_device = |slot: &&Slot| matches!(slot.kind(), SlotKind::Device { .. });
        Self {
            passphrase: slots.iter().any(|slot| matches!(slot.kind(), SlotKind::Passphrase { .. })),
            devices: slots.iter().filter(is_device).map(Slot::id).collect(),
        }
    }
}

/// The state behind [`App`] that no view looks at.
#[derive(Clone, Default)]
pub(crate) struct Behind {
    turn: Arc<Mutex<()>>,
}

struct File {
    bytes: Vec<u8>,
    revision: f64,
    has_previous: bool,
}

async fn load() -> Result<Option<File>, Trouble> {
    let loaded = items(&glue::load_file().await?);
    let [current, revision, previous] = loaded.as_slice() else { return Ok(None) };
    if current.is_undefined() {
        return Ok(None);
    }
    Ok(Some(File {
        bytes: to_bytes(current),
        revision: revision.as_f64().unwrap_or_default(),
        has_previous: !previous.is_undefined(),
    }))
}

/// Argon2id in the worker.
async fn stretch(passphrase: &[u8], stretch: &Stretch) -> Result<StretchedKey, Trouble> {
    let (memory, passes, lanes) = stretch.cost().get();
    let arguments = Array::of5(
        &Uint8Array::from(passphrase),
        &memory.into(),
        &passes.into(),
        &lanes.into(),
        &Uint8Array::from(stretch.salt().as_slice()),
    );
    let answer = glue::job("stretch", arguments, Array::new()).await?;
    let key = Zeroizing::new(to_bytes(&answer));
    let key = key.as_slice().try_into().map_err(|_| Trouble::new("crashed"))?;
    Ok(StretchedKey::new(*stretch, key))
}

/// What this device can do in about half a second to a second.
async fn calibrated() -> Result<Cost, Trouble> {
    let answer = items(&glue::job("calibrate", Array::new(), Array::new()).await?);
    let number = |index: usize| {
        answer.get(index).and_then(integer).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
    };
    Ok(Cost::new(number(0), number(1), number(2)).unwrap_or_default())
}

/// The text in the one form in which it is a passphrase.
fn passphrase(text: &str) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let bytes = Zeroizing::new(glue::normalized(text));
    if bytes.is_empty() || bytes.len() > Passphrase::MAX_BYTES {
        return Err(VaultError::Passphrase.into());
    }
    Ok(bytes)
}

/// A key for a passphrase that nobody has used yet.
pub(crate) async fn new_key(text: &str) -> Result<StretchedKey, Trouble> {
    let passphrase = passphrase(text)?;
    let cost = calibrated().await?;
    stretch(&passphrase, &Stretch::new(cost, random())).await
}

impl App {
    /// Looks what there is, and shows the screen for it.
    pub(crate) async fn begin(self) {
        self.forget_session();
        let phase = match load().await {
            Ok(None) => Phase::Fresh,
            Ok(Some(file)) if is_plain(&file.bytes) => match read_plain(&file.bytes) {
                Ok(content) => {
                    self.opened(Holder::Plain(content), file.revision);
                    Phase::Open
                }
                Err(error) => Phase::Broken { trouble: error.into(), has_previous: file.has_previous },
            },
            Ok(Some(file)) => match Locked::read(&file.bytes) {
                Ok(locked) => Phase::Locked(Ways::of(locked.slots())),
                Err(error) => Phase::Broken { trouble: error.into(), has_previous: file.has_previous },
            },
            // That says nothing of the vault.
            Err(_) => Phase::Unread,
        };
        if phase != Phase::Open {
            self.look.forget();
        }
        self.phase.set(phase);
    }

    fn opened(self, holder: Holder, stored: f64) {
        let content = self.session.try_update_value(|session| {
            *session = Some(Session { holder, stored });
        });
        debug_assert!(content.is_some(), "the session lives as long as the page");
        self.changed.update(|count| *count += 1);
        self.ask_to_keep();
    }

    /// Asks the browser not to throw the vault away when room gets short, unless it has promised that. Each time that the vault opens: many
    /// browsers refuse it to a page that is new to them and grant it to one that is used, or installed. Nothing waits for the answer,
    /// which the settings show.
    pub(crate) fn ask_to_keep(self) {
        leptos::task::spawn_local(async move {
            let answer = glue::persist().await;
            self.is_kept.set(answer.is_ok_and(|answer| answer.is_truthy()));
        });
    }

    fn forget_session(self) {
        let closed = self.session.try_update_value(Option::take).flatten();
        if closed.is_some_and(|closed| matches!(closed.holder, Holder::Locked(_))) {
            // It may have seen a QR code or another app's file.
            glue::end_jobs();
            wipe_stack();
        }
        self.counter_codes.update(BTreeMap::clear);
        self.incoming.set(None);
        self.is_older.set(false);
        self.changed.update(|count| *count += 1);
    }

    /// Reads the content, and has the reader called again when it has changed. `T::default()` while nothing is open.
    pub(crate) fn read<T: Default>(self, look: impl FnOnce(&Content) -> T) -> T {
        self.changed.track();
        self.peek(look)
    }

    /// Reads the content once.
    pub(crate) fn peek<T: Default>(self, look: impl FnOnce(&Content) -> T) -> T {
        self.session
            .try_with_value(|session| session.as_ref().map(|session| look(session.content())))
            .flatten()
            .unwrap_or_default()
    }

    /// Wipes the keys and shows the lock. A vault without a lock is only shown anew.
    pub(crate) fn lock(self) {
        let is_locked = self
            .session
            .try_with_value(|session| matches!(session, Some(Session { holder: Holder::Locked(_), .. })));
        if is_locked == Some(true) {
            self.forget_session();
            self.leave_all();
            self.phase.set(Phase::Starting);
            leptos::task::spawn_local(self.begin());
        }
    }

    /// Starts a vault with nothing in it, under a passphrase, or without a lock.
    pub(crate) async fn create(self, text: Option<&str>) -> Result<(), Trouble> {
        let holder = match text {
            None => Holder::Plain(Content::default()),
            Some(text) => Holder::Locked(Box::new(sealed(Content::default(), text).await?)),
        };
        match self.store(Session { holder, stored: 0.0 }).await {
            Err(trouble) if trouble.code() == "conflict" => Err(self.begin_anew(&trouble).await),
            done => {
                done?;
                self.phase.set(Phase::Open);
                Ok(())
            }
        }
    }

    /// Another window has stored something, and this one has not heard of it: what is tried again begins with what is stored. The screen that
    /// would have told it is gone.
    async fn begin_anew(self, conflict: &Trouble) -> Trouble {
        self.leave_all();
        self.begin().await;
        self.complain(conflict);
        Trouble::new("cancelled")
    }

    /// Writes a session that is not shown yet, and shows it.
    async fn store(self, mut session: Session) -> Result<(), Trouble> {
        let file = session.file()?;
        let next = session.stored + 1.0;
        glue::save_file(Uint8Array::from(file.as_slice()), next, session.stored, false).await?;
        remember(&session.holder);
        self.opened(session.holder, next);
        Ok(())
    }

    fn unlocked(self, vault: Vault, revision: f64) {
        let (id, opened) = mark_of(&vault);
        self.is_older.set(settings::seen(&id).is_some_and(|seen| opened < seen));
        let holder = Holder::Locked(Box::new(vault));
        remember(&holder);
        self.opened(holder, revision);
        self.phase.set(Phase::Open);
        // Stretching a passphrase takes a while, in which the person may have gone elsewhere.
        self.lock_if_away();
    }

    /// Tries the passphrase on each slot that wants one.
    pub(crate) async fn unlock_by_passphrase(self, text: &str) -> Result<(), Trouble> {
        let passphrase = passphrase(text)?;
        let file = load().await?.ok_or_else(|| Trouble::new("storage"))?;
        let locked = Locked::read(&file.bytes)?;
        for wanted in locked.slots().iter().filter_map(Slot::stretch) {
            let key = stretch(&passphrase, &wanted).await?;
            if self.open_by(&key).await? {
                return Ok(());
            }
        }
        Err(VaultError::NotOpened.into())
    }

    /// Opens the file as it is now: while a key was made, another window may have stored another one. Whether it was opened, or is shown as
    /// one that cannot be read, though the key fits.
    async fn open_by(self, key: &impl Opens) -> Result<bool, Trouble> {
        let file = load().await?.ok_or_else(|| Trouble::new("storage"))?;
        match Locked::read(&file.bytes)?.open(key) {
            Ok(vault) => self.unlocked(vault, file.revision),
            Err(VaultError::NotOpened) => return Ok(false),
            Err(error @ (VaultError::Damaged | VaultError::Content(_))) => {
                self.phase.set(Phase::Broken { trouble: error.into(), has_previous: file.has_previous });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Asks the device for the key of one of its slots.
    pub(crate) async fn unlock_by_device(self) -> Result<(), Trouble> {
        let file = load().await?.ok_or_else(|| Trouble::new("storage"))?;
        let locked = Locked::read(&file.bytes)?;
        let slots = Array::new();
        for slot in locked.slots() {
            if let SlotKind::Device { prf_input, credential } = slot.kind() {
                let input = Uint8Array::from(prf_input.as_slice());
                slots.push(&Array::of2(&Uint8Array::from(credential.as_slice()), &input));
            }
        }
        let answer = items(&glue::ask_device(slots).await?);
        // Its lock may still be over the page.
        self.end_absence();
        let key = device_key(answer.get(1))?;
        if self.open_by(&key).await? { Ok(()) } else { Err(VaultError::NotOpened.into()) }
    }

    /// Edits a copy of the content, writes the file, and only then lets the change be seen. An error has changed nothing.
    pub(crate) async fn change<T>(
        self,
        edit: impl FnOnce(&mut Content) -> Result<T, ContentError>,
    ) -> Result<T, Trouble> {
        self.alter(false, |session| Ok(edit(session.content_mut())?)).await
    }

    /// The code by counter that was made last, or where there is none a new one: the counter behind it is stored before anybody sees it.
    pub(crate) async fn counter_code(self, id: EntryId) -> Result<String, Trouble> {
        if let Some((code, _)) = self.counter_codes.with_untracked(|codes| codes.get(&id).cloned()) {
            return Ok(code);
        }
        self.new_counter_code(id).await
    }

    /// A new code by counter.
    pub(crate) async fn new_counter_code(self, id: EntryId) -> Result<String, Trouble> {
        let code = self
            .change(|content| {
                let code = content.entry(id).map(|entry| entry.key.code_at(0).as_str().to_owned());
                content.advance(id)?;
                Ok(code.unwrap_or_default())
            })
            .await?;
        let now = self.now.get_untracked();
        self.counter_codes.update(|codes| {
            codes.insert(id, (code.clone(), now));
        });
        Ok(code)
    }

    /// `forget`: the file before is not kept, since it opens in a way that this change ends.
    async fn alter<T>(
        self,
        forget: bool,
        edit: impl FnOnce(&mut Session) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let behind = self.behind.get_value();
        let _turn = behind.turn.lock().await;
        // Nothing is borrowed while it is written: a lock in between takes the session away, and what is done after it finds none.
        let prepared = self.session.try_update_value(|slot| {
            let session = slot.as_mut()?;
            let before = session.content().clone();
            let result = edit(session).and_then(|value| Ok((value, session.file()?)));
            let stored = session.stored;
            if result.is_err() {
                *session.content_mut() = before.clone();
            }
            Some(result.map(|(value, file)| (value, file, before, stored)))
        });
        let (value, file, before, stored) = prepared.flatten().ok_or_else(|| Trouble::new("cancelled"))??;
        let saved = glue::save_file(Uint8Array::from(file.as_slice()), stored + 1.0, stored, forget).await;
        self.session.update_value(|slot| {
            let Some(session) = slot.as_mut() else { return };
            if saved.is_ok() {
                session.stored = stored + 1.0;
            } else {
                *session.content_mut() = before;
            }
        });
        if let Err(error) = saved {
            let trouble = Trouble::from(error);
            return Err(if trouble.code() == "conflict" { self.begin_anew(&trouble).await } else { trouble });
        }
        self.session.with_value(|slot| {
            if let Some(session) = slot {
                remember(&session.holder);
            }
        });
        self.changed.update(|count| *count += 1);
        Ok(value)
    }

    /// Changes what opens the vault, and leaves no file that opens as before. If that could not be written, the vault is read again as it is stored.
    async fn change_lock(
        self,
        edit: impl FnOnce(&mut Session) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let done = self.alter(true, edit).await;
        if done.is_err() {
            self.begin().await;
        }
        done
    }

    /// What opens the vault, once it is open. `None` without a lock.
    pub(crate) fn ways(self) -> Option<Ways> {
        self.changed.track();
        self.session
            .try_with_value(|session| match session {
                Some(Session { holder: Holder::Locked(vault), .. }) => Some(Ways::of(vault.slots())),
                _ => None,
            })
            .flatten()
    }

    /// Whether this is the passphrase of the open vault. Without a lock there is none to know.
    async fn knows(self, text: &str) -> Result<(), Trouble> {
        if self.ways_now().is_none_or(|ways| !ways.passphrase) {
            return Ok(());
        }
        let passphrase = passphrase(text)?;
        let file = load().await?.ok_or_else(|| Trouble::new("storage"))?;
        let locked = Locked::read(&file.bytes)?;
        for wanted in locked.slots().iter().filter_map(Slot::stretch) {
            if locked.open(&stretch(&passphrase, &wanted).await?).is_ok() {
                return Ok(());
            }
        }
        Err(VaultError::NotOpened.into())
    }

    fn ways_now(self) -> Option<Ways> {
        untrack(|| self.ways())
    }

    /// Sets a passphrase, or another one for someone who knows the old one.
    pub(crate) async fn set_passphrase(self, old: &str, new: &str) -> Result<(), Trouble> {
        self.knows(old).await?;
        let key = new_key(new).await?;
        self.change_lock(|session| {
            match &mut session.holder {
                Holder::Plain(content) => {
                    let vault = sealed_by(content.clone(), &key)?;
                    session.holder = Holder::Locked(Box::new(vault));
                }
                Holder::Locked(vault) => {
                    let old: Vec<SlotId> = vault
                        .slots()
                        .iter()
                        .filter(|slot| matches!(slot.kind(), SlotKind::Passphrase { .. }))
                        .map(Slot::id)
                        .collect();
                    // The new one first: a vault is never without a slot.
                    if old.is_empty() || vault.slots().len() < Vault::MAX_SLOTS {
                        vault.add_slot(&NewSlot::Stretched(&key), Random::new(random()))?;
                        for id in old {
                            vault.remove_slot(id)?;
                        }
                    } else {
                        vault.change_passphrase(old[0], &key, Random::new(random()))?;
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// Takes the lock away, for someone who knows the passphrase.
    pub(crate) async fn remove_lock(self, old: &str) -> Result<(), Trouble> {
        self.knows(old).await?;
        self.change_lock(|session| {
            session.holder = Holder::Plain(session.content().clone());
            Ok(())
        })
        .await
    }

    /// Lets the device's own lock open the vault.
    pub(crate) async fn add_device(self) -> Result<(), Trouble> {
        let prf_input = random::<32>();
        let answer = items(&glue::enrol_device(Uint8Array::from(prf_input.as_slice())).await?);
        let key = device_key(answer.get(1))?;
        let credential = answer.first().map(to_bytes).unwrap_or_default();
        self.change_lock(|session| {
            if let Holder::Locked(vault) = &mut session.holder {
                let slot = NewSlot::Device { key: &key, prf_input, credential: &credential };
                vault.add_slot(&slot, Random::new(random()))?;
            }
            Ok(())
        })
        .await
    }

    /// Takes all devices' slots away.
    pub(crate) async fn remove_devices(self) -> Result<(), Trouble> {
        let ways = self.ways_now().unwrap_or_default();
        self.change_lock(|session| {
            if let Holder::Locked(vault) = &mut session.holder {
                for id in ways.devices {
                    vault.remove_slot(id)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// The content as a file of its own under its own passphrase.
    pub(crate) async fn export_sealed(self, text: &str) -> Result<Vec<u8>, Trouble> {
        let mut vault = sealed(self.peek(Clone::clone), text).await?;
        vault.save(Random::new(random())).map_err(unwritten)
    }

    /// Erases vault and settings for good.
    pub(crate) async fn erase(self) -> Result<(), Trouble> {
        glue::erase_files().await?;
        Settings::forget();
        self.read_settings();
        self.standing.set(Standing::default());
        self.compared.set(false);
        self.compare_soon();
        self.leave_all();
        self.begin().await;
        Ok(())
    }

    /// Puts the file before the last save in the place of one that cannot be read.
    pub(crate) async fn restore(self) -> Result<(), Trouble> {
        glue::restore_previous().await?;
        self.begin().await;
        Ok(())
    }

    /// The stored bytes as they are, for whoever wants to look at a damaged file elsewhere.
    pub(crate) async fn raw_file(self) -> Result<Vec<u8>, Trouble> {
        Ok(load().await?.map(|file| file.bytes).unwrap_or_default())
    }
}

/// Overwrites what calls have left behind: whoever computes a code has the secret in a block on the stack, which nobody wipes.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "it is the stack that is meant; WebAssembly's has a megabyte")]
fn wipe_stack() {
    let mut zeros = [0_u8; 256 * 1024];
    core::hint::black_box(&mut zeros);
}

/// A vault's id and revision.
fn mark_of(vault: &Vault) -> (String, u64) {
    let mark = vault.mark();
    (format!("{:032x}", u128::from_be_bytes(mark.vault)), mark.revision)
}

/// Remembers the vault's revision outside of its file, to notice an older one.
fn remember(holder: &Holder) {
    if let Holder::Locked(vault) = holder {
        let (id, revision) = mark_of(vault);
        settings::see(&id, revision);
    }
}

fn device_key(bytes: Option<&JsValue>) -> Result<DeviceKey, Trouble> {
    let bytes = Zeroizing::new(bytes.map(to_bytes).unwrap_or_default());
    let bytes = bytes.as_slice().try_into().map_err(|_| Trouble::new("device"))?;
    Ok(DeviceKey::new(bytes))
}

async fn sealed(content: Content, text: &str) -> Result<Vault, Trouble> {
    Ok(sealed_by(content, &new_key(text).await?)?)
}

fn sealed_by(content: Content, key: &StretchedKey) -> Result<Vault, VaultError> {
    Vault::create(content, &NewSlot::Stretched(key), Random::new(random()), Random::new(random()))
}

/// The name of an error that the service worker or server reported in `error`.
pub(crate) fn error_of(answer: &JsValue) -> Option<Trouble> {
    member(answer, "error").as_string().map(|code| Trouble::new(&code))
}
