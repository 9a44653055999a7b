//! Every sentence of the app, in both languages side by side. A word without a translation does not compile, nor one whose
//! blanks (`{count}`) differ in number.

/// The languages of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::German];

    /// The tag of BCP 47.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language's name for itself.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// German for every German, English for everything else.
    pub(crate) fn of(tag: &str) -> Self {
        if tag.to_ascii_lowercase().starts_with("de") { Self::German } else { Self::English }
    }

    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// How many blanks a sentence has.
const fn blanks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut index, mut count) = (0, 0);
    while index < bytes.len() {
        count += (bytes[index] == b'{') as usize;
        index += 1;
    }
    count
}

macro_rules! words {
    ($($name:ident: $english:literal / $german:literal;)*) => {
        /// The sentences of one language.
        pub(crate) struct Words {
            $(pub(crate) $name: &'static str,)*
        }

        const ENGLISH: Words = Words { $($name: $english,)* };
        const GERMAN: Words = Words { $($name: $german,)* };

        $(const _: () = assert!(blanks($english) == blanks($german), stringify!($name));)*
    };
}

words! {
    // Everywhere
    back: "Back" / "Zurück";
    cancel: "Cancel" / "Abbrechen";
    save: "Save" / "Speichern";
    saved: "Saved." / "Gespeichert.";
    next: "Next" / "Weiter";
    previous: "Previous" / "Zurück";
    busy: "One moment …" / "Einen Augenblick …";
    gone: "This account is no longer here." / "Dieses Konto ist nicht mehr da.";
    never: "Never" / "Nie";
    minutes: "{count} min" / "{count} min";
    seconds: "{count} s" / "{count} s";

    // Before the vault is open
    welcome: "Your second factor" / "Ihr zweiter Faktor";
    welcome_text: "This app shows the codes that you type at login. They stay on this device, encrypted, and need no network. Choose a passphrase that opens them." / "Diese App zeigt die Codes, die Sie bei der Anmeldung eintippen. Sie bleiben verschlüsselt auf diesem Gerät und brauchen kein Netz. Wählen Sie eine Passphrase, die sie öffnet.";
    passphrase: "Passphrase" / "Passphrase";
    passphrase_new: "New passphrase" / "Neue Passphrase";
    passphrase_again: "The same again" / "Noch einmal dieselbe";
    passphrase_old: "Present passphrase" / "Bisherige Passphrase";
    passphrase_hint: "At least 8 characters; four or five random words are good. Nobody can recover it for you, so export a copy once you have accounts." / "Mindestens 8 Zeichen; vier oder fünf zufällige Wörter sind gut. Niemand kann sie für Sie wiederherstellen, darum sichern Sie später eine Kopie.";
    create: "Start" / "Loslegen";
    without_passphrase: "Without a passphrase …" / "Ohne Passphrase …";
    without_warning: "Without a passphrase the codes are stored unencrypted. Whoever gets hold of this device unlocked, of its browser profile or of a copy of it has your second factor." / "Ohne Passphrase liegen die Codes unverschlüsselt. Wer dieses Gerät entsperrt, sein Browserprofil oder eine Kopie davon in die Hand bekommt, hat Ihren zweiten Faktor.";
    without_accept: "Start without a passphrase" / "Ohne Passphrase loslegen";
    without_question: "Really without? You can set one later." / "Wirklich ohne? Sie können später eine setzen.";
    locked: "Locked" / "Gesperrt";
    unlock: "Unlock" / "Entsperren";
    unlock_device: "Unlock with this device" / "Mit diesem Gerät entsperren";
    broken: "The vault cannot be read" / "Der Tresor ist nicht lesbar";
    broken_text: "Nothing has been deleted. Keep a copy of the file before you try anything else." / "Es wurde nichts gelöscht. Sichern Sie die Datei, bevor Sie etwas anderes versuchen.";
    broken_restore: "Use the state before the last change" / "Stand vor der letzten Änderung nehmen";
    broken_download: "Keep a copy of the file" / "Datei sichern";
    unread: "The browser's storage does not answer" / "Der Speicher des Browsers antwortet nicht";
    unread_text: "Nothing has been deleted. If it stays like this, close the browser and open it again." / "Es wurde nichts gelöscht. Wenn es so bleibt, schließen Sie den Browser und öffnen ihn wieder.";
    again: "Try again" / "Noch einmal";
    erase: "Erase everything" / "Alles löschen";
    erase_question: "All accounts on this device will be gone. Without another copy you may be locked out of them." / "Alle Konten auf diesem Gerät sind dann weg. Ohne eine Kopie kommen Sie vielleicht nicht mehr hinein.";
    rollback: "This vault is older than the one last opened here. Somebody may have put an old file back." / "Dieser Tresor ist älter als der zuletzt hier geöffnete. Vielleicht hat jemand eine alte Datei zurückgelegt.";
    rollback_known: "I know" / "Das weiß ich";

    // The codes
    codes: "Codes" / "Codes";
    search: "Search" / "Suchen";
    all: "All" / "Alle";
    favourites: "Favourites" / "Favoriten";
    groups: "Groups" / "Gruppen";
    no_codes: "No accounts yet. Add the first one: scan the QR code that a service shows you." / "Noch keine Konten. Fügen Sie das erste hinzu: Scannen Sie den QR-Code, den ein Dienst Ihnen zeigt.";
    nothing_found: "Nothing found." / "Nichts gefunden.";
    add: "Add" / "Hinzufügen";
    settings: "Settings" / "Einstellungen";
    lock_now: "Lock" / "Sperren";
    more_about: "More about {name}" / "Mehr zu {name}";
    seconds_left: "{seconds} seconds left" / "noch {seconds} Sekunden";
    code_hidden: "hidden, tap to show" / "verborgen, zum Zeigen tippen";
    next_code: "next {code}" / "gleich {code}";
    next_counter: "New code" / "Neuer Code";
    next_counter_sure: "Another one?" / "Noch einer?";
    copied: "Copied." / "Kopiert.";
    flag_ended: "reset" / "zurückgesetzt";
    flag_pending: "not confirmed" / "nicht bestätigt";
    install: "Install as an app" / "Als App installieren";
    enrolments_gone: "No longer accepted by the server: {count}" / "Vom Server nicht mehr angenommen: {count}";

    // Adding
    added: "Added." / "Hinzugefügt.";
    already_there: "This account is already here." / "Dieses Konto ist schon da.";
    offered: "Add this account?" / "Dieses Konto hinzufügen?";
    offered_text: "A link has brought this account. Add it only if you opened that link yourself, to set up a second factor." / "Dieses Konto kam durch einen Link. Fügen Sie es nur hinzu, wenn Sie den Link selbst geöffnet haben, um einen zweiten Faktor einzurichten.";
    offered_server: "Server: {server}" / "Server: {server}";
    add_scan: "Scan a QR code" / "QR-Code scannen";
    add_scan_hint: "With the camera" / "Mit der Kamera";
    add_picture: "From a picture" / "Aus einem Bild";
    add_picture_hint: "A photo or screenshot" / "Ein Foto oder Bildschirmfoto";
    add_paste: "Paste" / "Einfügen";
    add_paste_hint: "A link or picture from the clipboard" / "Ein Link oder Bild aus der Zwischenablage";
    add_type: "Type it in" / "Eintippen";
    add_type_hint: "If there is no QR code" / "Wenn es keinen QR-Code gibt";
    add_import: "From another app" / "Aus einer anderen App";
    add_import_hint: "A file that it exported" / "Eine Datei, die sie exportiert hat";
    add_link: "Link" / "Link";
    add_link_button: "Add the link" / "Link hinzufügen";
    scan_picture: "The camera's picture" / "Das Bild der Kamera";
    scan_starting: "The camera starts …" / "Die Kamera startet …";
    scan_hint: "Hold the QR code into the frame." / "Halten Sie den QR-Code in den Rahmen.";
    scan_parts: "Good. QR codes still missing: {count}. Scan the next one." / "Gut. Es fehlen noch QR-Codes: {count}. Scannen Sie den nächsten.";
    scan_light: "Light" / "Licht";
    scan_camera: "Camera" / "Kamera";
    issuer: "Service" / "Dienst";
    account: "Account" / "Konto";
    secret: "Secret key" / "Geheimer Schlüssel";
    secret_hint: "The letters and digits that the service shows beside its QR code." / "Die Buchstaben und Ziffern, die der Dienst neben seinem QR-Code zeigt.";
    advanced: "Details" / "Einzelheiten";
    kind: "Kind" / "Art";
    kind_totp: "By time (TOTP)" / "Nach Zeit (TOTP)";
    kind_hotp: "By counter (HOTP)" / "Nach Zähler (HOTP)";
    algorithm: "Algorithm" / "Verfahren";
    digits: "Digits" / "Ziffern";
    period: "Seconds per code" / "Sekunden je Code";
    counter: "Counter" / "Zähler";

    // One account
    label: "Name of your own" / "Eigener Name";
    group: "Group" / "Gruppe";
    favourite: "Favourite" / "Favorit";
    note: "Note" / "Notiz";
    hand: "Show as QR code" / "Als QR-Code zeigen";
    hand_hint: "For another phone of yours" / "Für ein anderes Telefon von Ihnen";
    hand_text: "The QR code holds the secret itself. Whoever photographs it can make your codes for ever." / "Der QR-Code enthält das Geheimnis selbst. Wer ihn fotografiert, kann für immer Ihre Codes erzeugen.";
    hand_show: "Show the QR code" / "QR-Code zeigen";
    hand_question: "Is nobody looking?" / "Schaut niemand zu?";
    qr_code: "QR code with the account" / "QR-Code mit dem Konto";
    delete: "Delete" / "Löschen";
    deleted: "Deleted." / "Gelöscht.";
    delete_question: "Before you delete it, turn the second factor off at the service, or you may be locked out." / "Schalten Sie den zweiten Faktor vorher beim Dienst ab, sonst sperren Sie sich vielleicht aus.";
    delete_dead_question: "The server does not accept its codes any more." / "Der Server nimmt seine Codes nicht mehr an.";
    made_totp: "{algorithm}, {digits} digits, every {period} s" / "{algorithm}, {digits} Ziffern, alle {period} s";
    made_hotp: "{algorithm}, {digits} digits, by counter" / "{algorithm}, {digits} Ziffern, nach Zähler";
    created: "added {date}" / "hinzugefügt am {date}";
    server: "At the server" / "Beim Server";
    server_active: "The server accepts this phone's codes." / "Der Server nimmt die Codes dieses Telefons an.";
    server_pending: "Not confirmed yet: the server waits for a first code." / "Noch nicht bestätigt: Der Server wartet auf einen ersten Code.";
    server_ended: "Reset or removed on {date}. Its codes are no longer accepted; enrol anew." / "Am {date} zurückgesetzt oder entfernt. Seine Codes gelten nicht mehr; richten Sie es neu ein.";
    server_unknown: "The server does not know this account. It may have been removed some time ago, alone or with its user." / "Der Server kennt dieses Konto nicht. Vielleicht wurde es vor einiger Zeit entfernt, allein oder mit seinem Benutzer.";
    server_not_asked: "The server has not been asked yet." / "Der Server wurde noch nicht gefragt.";
    server_other: "Enrolled by {server}, which this app cannot ask." / "Eingerichtet von {server}; diesen Server kann diese App nicht fragen.";
    check: "Check with the server" / "Beim Server prüfen";
    confirm: "Confirm with one tap" / "Mit einem Tippen bestätigen";
    confirmed: "Confirmed. The server accepts this phone's codes." / "Bestätigt. Der Server nimmt die Codes dieses Telefons an.";

    // Order
    arrange: "Order" / "Reihenfolge";
    arrange_hint: "Drag accounts to their place" / "Konten an ihren Platz ziehen";
    arrange_text: "Drag an account by its handle, or use the arrows. Favourites always stand first." / "Ziehen Sie ein Konto an seinem Griff oder nehmen Sie die Pfeile. Favoriten stehen immer vorn.";
    move_up: "Move {name} up" / "{name} nach oben";
    move_down: "Move {name} down" / "{name} nach unten";
    move_drag: "Drag {name}, or use the arrow keys" / "{name} ziehen, oder Pfeiltasten";
    moved: "Now at place {place}" / "Jetzt an Stelle {place}";

    // Enrolments
    enrolments: "My enrolments" / "Meine Einrichtungen";
    enrolments_hint: "What this server still accepts" / "Was dieser Server noch annimmt";
    enrolments_text: "The accounts that this server enrolled, and whether it still accepts their codes." / "Die Konten, die dieser Server eingerichtet hat, und ob er ihre Codes noch annimmt.";
    enrolments_none: "None of the accounts here says that this server enrolled it." / "Keines der Konten hier sagt, dass dieser Server es eingerichtet hat.";

    // Import
    import: "Import" / "Importieren";
    import_hint: "From another app or a copy" / "Aus einer anderen App oder einer Kopie";
    import_text: "Choose the file that the other app exported. You will see what is in it before anything is added." / "Wählen Sie die Datei, die die andere App exportiert hat. Sie sehen erst, was darin ist.";
    import_format: "Format" / "Format";
    import_guess: "Find out" / "Herausfinden";
    import_file: "Choose a file" / "Datei wählen";
    import_file_hint: "Aegis, 2FAS, andOTP, FreeOTP+, Bitwarden, ente, Google, Countersign" / "Aegis, 2FAS, andOTP, FreeOTP+, Bitwarden, ente, Google, Countersign";
    import_password: "The file's password" / "Passwort der Datei";
    import_open: "Open" / "Öffnen";
    import_found: "Found: {count}. Not readable: {missed}." / "Gefunden: {count}. Nicht lesbar: {missed}.";
    import_unread: "Not readable" / "Nicht lesbar";
    import_without: "Items without a code: {count}." / "Einträge ohne Code: {count}.";
    import_add: "Take over {count}" / "{count} übernehmen";
    imported: "Taken over: {count}." / "Übernommen: {count}.";
    format_uris: "otpauth links, Google, ente" / "otpauth-Links, Google, ente";
    format_andotp_encrypted: "andOTP, encrypted" / "andOTP, verschlüsselt";
    format_plain_vault: "Countersign without a lock" / "Countersign ohne Sperre";
    status_new: "new" / "neu";
    status_duplicate: "already here as {name}" / "schon da als {name}";
    status_conflict: "same name as one that is here, other codes" / "heißt wie ein vorhandenes, andere Codes";
    status_repeated: "stands twice in the file" / "steht zweimal in der Datei";
    choice_skip: "leave out" / "weglassen";
    choice_add: "add" / "hinzufügen";
    choice_replace: "replace" / "ersetzen";
    unnamed: "Without a name" / "Ohne Namen";
    place_line: "(line {first})" / "(Zeile {first})";
    place_item: "(account {first})" / "(Konto {first})";
    place_item_of_line: "(line {first}, account {second})" / "(Zeile {first}, Konto {second})";
    place_part: "(QR code {first})" / "(QR-Code {first})";
    reason_kind: "makes codes in a way that is not known here." / "erzeugt Codes auf eine Art, die hier unbekannt ist.";
    reason_trashed: "was in the other app's bin." / "lag im Papierkorb der anderen App.";
    reason_damaged: "is cut off or damaged." / "ist abgeschnitten oder beschädigt.";
    reason_part_missing: "is missing; scan all QR codes of the export." / "fehlt; scannen Sie alle QR-Codes des Exports.";
    reason_too_long: "has a text that is too long." / "hat einen zu langen Text.";
    reason_member: "“{name}” is missing or wrong." / "„{name}“ fehlt oder ist falsch.";

    // Export
    export: "Export" / "Exportieren";
    export_hint: "A copy to keep, or for another app" / "Eine Kopie, oder für eine andere App";
    exported: "The browser has the file now, and saves it or asks where to." / "Der Browser hat die Datei jetzt und speichert sie oder fragt, wohin.";
    export_sealed: "Encrypted copy" / "Verschlüsselte Kopie";
    export_sealed_text: "Opens in this app with the passphrase that you choose here. Keep it away from this device." / "Öffnet sich in dieser App mit der Passphrase, die Sie hier wählen. Bewahren Sie sie woanders auf.";
    passphrase_export: "Passphrase of the copy" / "Passphrase der Kopie";
    export_button: "Save the copy" / "Kopie speichern";
    export_plain: "Unencrypted list" / "Unverschlüsselte Liste";
    export_plain_text: "A text file of otpauth links, which many apps read." / "Eine Textdatei mit otpauth-Links, die viele Apps lesen.";
    export_plain_button: "Save unencrypted" / "Unverschlüsselt speichern";
    export_plain_question: "Whoever sees it can make all your codes for ever. Delete it as soon as it has served." / "Wer sie sieht, kann für immer alle Ihre Codes erzeugen. Löschen Sie sie, sobald sie ihren Zweck erfüllt hat.";
    export_google: "Google Authenticator" / "Google Authenticator";
    export_google_text: "QR codes for its function “Import accounts”." / "QR-Codes für dessen Funktion „Konten importieren“.";
    export_google_button: "Show the QR codes" / "QR-Codes zeigen";
    export_google_part: "QR code {number} of {count}" / "QR-Code {number} von {count}";
    export_google_none: "None of the accounts can be written for Google Authenticator." / "Keines der Konten lässt sich für Google Authenticator schreiben.";
    export_google_left: "Left out, because it does not know their kind: {names}" / "Weggelassen, weil er ihre Art nicht kennt: {names}";

    // Settings
    language: "Language" / "Sprache";
    theme: "Appearance" / "Erscheinung";
    theme_device: "As the device" / "Wie das Gerät";
    theme_light: "Light" / "Hell";
    theme_dark: "Dark" / "Dunkel";
    lock_after: "Lock when not used for" / "Sperren ohne Benutzung nach";
    lock_hidden: "Lock as soon as the app is out of sight" / "Sperren, sobald die App nicht zu sehen ist";
    reveal: "Show codes only when tapped" / "Codes erst auf Tippen zeigen";
    clipboard: "Clear copied codes after" / "Kopierte Codes löschen nach";
    clock: "Clock" / "Uhr";
    clock_check: "Compare with the server" / "Mit dem Server vergleichen";
    clock_good: "This device's clock is right." / "Die Uhr dieses Geräts geht richtig.";
    clock_text: "Codes of accounts that this server enrolled always go by its clock. If other services refuse their codes while the clock is corrected, it is the server's clock that is wrong: do not let it correct theirs." / "Die Codes der Konten, die dieser Server eingerichtet hat, richten sich immer nach seiner Uhr. Wenn andere Dienste ihre Codes ablehnen, solange die Uhr berichtigt wird, geht die Uhr des Servers falsch: Lassen Sie deren Codes dann nicht berichtigen.";
    clock_all: "Correct the codes of other services, too" / "Auch die Codes anderer Dienste berichtigen";
    clock_kept: "That is what the last comparison said; the server has not been reached since." / "So ergab es der letzte Vergleich; seitdem war der Server nicht erreichbar.";
    clock_corrected: "Clock corrected by {time}" / "Uhr um {time} berichtigt";
    clock_corrected_kept: "Clock corrected by {time}, not compared lately" / "Uhr um {time} berichtigt, zuletzt nicht verglichen";
    clock_unknown: "This device's clock has not been compared with the server's lately." / "Die Uhr dieses Geräts wurde zuletzt nicht mit der des Servers verglichen.";
    clock_slow: "This device's clock is {time} slow." / "Die Uhr dieses Geräts geht {time} nach.";
    clock_fast: "This device's clock is {time} fast." / "Die Uhr dieses Geräts geht {time} vor.";
    clock_corrects: "Codes are corrected." / "Codes werden berichtigt.";
    clock_corrects_own: "Codes of this server's accounts are corrected, no others." / "Codes der Konten dieses Servers werden berichtigt, andere nicht.";
    storage: "Storage" / "Speicher";
    storage_kept: "The browser has promised to keep the vault." / "Der Browser hat zugesagt, den Tresor zu behalten.";
    storage_may_go: "The browser may delete the vault when room gets short. Install the app and keep an encrypted copy." / "Der Browser darf den Tresor löschen, wenn der Platz knapp wird. Installieren Sie die App und sichern Sie eine verschlüsselte Kopie.";

    // The lock
    lock_screen: "Lock" / "Sperre";
    lock_screen_hint: "Passphrase, fingerprint or face" / "Passphrase, Finger oder Gesicht";
    lock_none: "The codes lie here unencrypted. Set a passphrase." / "Die Codes liegen hier unverschlüsselt. Setzen Sie eine Passphrase.";
    lock_remove: "Remove the lock" / "Sperre entfernen";
    passphrase_set: "Set a passphrase" / "Passphrase setzen";
    passphrase_change: "Change the passphrase" / "Passphrase ändern";
    device: "This device's own lock" / "Die Sperre dieses Geräts";
    device_text: "Fingerprint, face or PIN of the device open the vault. The passphrase still opens it, too." / "Finger, Gesicht oder PIN des Geräts öffnen den Tresor. Die Passphrase öffnet ihn weiterhin.";
    device_add: "Use the device's lock" / "Gerätesperre benutzen";
    device_missing: "This browser says that the device has no lock that can be used. A security key may do." / "Dieser Browser meldet keine nutzbare Gerätesperre. Ein Sicherheitsschlüssel geht vielleicht.";
    device_remove: "Stop using the device's lock" / "Gerätesperre nicht mehr benutzen";
    device_remove_question: "Only the passphrase will open the vault then." / "Dann öffnet nur noch die Passphrase den Tresor.";

    // The release
    about: "About this app" / "Über diese App";
    about_hint: "Version, updates" / "Version, Aktualisierungen";
    about_text: "Countersign shows one-time codes (TOTP, HOTP, Steam) and works without a network." / "Countersign zeigt Einmalcodes (TOTP, HOTP, Steam) und arbeitet ohne Netz.";
    about_trust: "The build is a fingerprint of all the app's files. Phones that show the same build run the same files. Another version is taken only when you say so; but whoever runs the server could get past that." / "Der Stand ist ein Fingerabdruck aller Dateien der App. Telefone mit demselben Stand führen dieselben Dateien aus. Eine andere Version wird nur genommen, wenn Sie es sagen; wer den Server betreibt, könnte das aber umgehen.";
    version: "Version" / "Version";
    build: "Build" / "Stand";
    not_installed: "This browser keeps no copy of the app, so it needs the network to start." / "Dieser Browser behält keine Kopie der App; sie braucht zum Start das Netz.";
    update_there: "A new version is there" / "Eine neue Version ist da";
    update_look: "Look for a new version" / "Nach neuer Version sehen";
    update_none: "There is no newer version." / "Es gibt keine neuere Version.";
    update_text: "The present version goes on until you take the new one." / "Die jetzige Version läuft weiter, bis Sie die neue nehmen.";
    update_accept: "Take the new version" / "Neue Version nehmen";

    // What goes wrong
    trouble_not_opened: "That did not open the vault. The passphrase or device is wrong, or this part of the file was changed." / "Das hat den Tresor nicht geöffnet. Passphrase oder Gerät sind falsch, oder dieser Teil der Datei wurde verändert.";
    trouble_damaged: "The file is damaged or was changed." / "Die Datei ist beschädigt oder wurde verändert.";
    trouble_unknown_vault: "This is no vault that this version knows." / "Das ist kein Tresor, den diese Version kennt.";
    trouble_text_too_long: "The text is too long. Nothing was changed." / "Der Text ist zu lang. Es wurde nichts geändert.";
    trouble_vault_full: "The vault is full: it holds 10,000 accounts and 8 MiB at most. Nothing was changed." / "Der Tresor ist voll: Er fasst höchstens 10.000 Konten und 8 MiB. Es wurde nichts geändert.";
    trouble_unloaded: "A part of the app could not be loaded. Check the connection, and start the app again." / "Ein Teil der App ließ sich nicht laden. Prüfen Sie die Verbindung und starten Sie die App neu.";
    trouble_memory: "There was not enough memory. Close other apps and try again." / "Der Speicher reichte nicht. Schließen Sie andere Apps und versuchen Sie es erneut.";
    trouble_full: "There is no room left on this device. Nothing was changed." / "Auf diesem Gerät ist kein Platz mehr. Es wurde nichts geändert.";
    trouble_storage: "The browser could not store this. Nothing was changed." / "Der Browser konnte das nicht speichern. Es wurde nichts geändert.";
    trouble_conflict: "Another window has changed the vault. Nothing was changed here; try again." / "Ein anderes Fenster hat den Tresor geändert. Hier wurde nichts geändert; versuchen Sie es erneut.";
    trouble_offline: "The server could not be reached." / "Der Server ist nicht erreichbar.";
    trouble_clipboard: "The browser does not let the app use the clipboard." / "Der Browser erlaubt der App die Zwischenablage nicht.";
    trouble_device: "The device's lock could not be used." / "Die Gerätesperre ließ sich nicht benutzen.";
    trouble_unsupported: "This device's lock cannot give out a key (WebAuthn PRF)." / "Die Sperre dieses Geräts kann keinen Schlüssel ausgeben (WebAuthn PRF).";
    trouble_camera_refused: "The camera is not allowed. Allow it in the browser's settings for this page." / "Die Kamera ist nicht erlaubt. Erlauben Sie sie in den Einstellungen des Browsers für diese Seite.";
    trouble_camera_missing: "No camera was found." / "Es wurde keine Kamera gefunden.";
    trouble_camera: "The camera could not be started. Another app may be using it." / "Die Kamera ließ sich nicht starten. Vielleicht benutzt sie eine andere App.";
    trouble_image: "This picture could not be read." / "Dieses Bild ließ sich nicht lesen.";
    trouble_no_code: "No QR code was found in the picture." / "Im Bild wurde kein QR-Code gefunden.";
    trouble_unknown_format: "This file is none that is known. Choose its format if you know it." / "Diese Datei ist unbekannt. Wählen Sie ihr Format, wenn Sie es kennen.";
    trouble_file_too_large: "This file is too large: more than 8 MiB are not read." / "Diese Datei ist zu groß: Mehr als 8 MiB werden nicht gelesen.";
    trouble_file_version: "This file is of a version that is not known here." / "Diese Datei hat eine Version, die hier unbekannt ist.";
    trouble_file_not_opened: "That did not open the file. The password is wrong, or the file was changed." / "Das hat die Datei nicht geöffnet. Das Passwort ist falsch, oder die Datei wurde verändert.";
    trouble_password_needed: "The file is encrypted. Type its password." / "Die Datei ist verschlüsselt. Tippen Sie ihr Passwort ein.";
    trouble_encryption: "The file is encrypted in a way that cannot be read here. Export it with a password of its own, or unencrypted." / "Die Datei ist auf eine Art verschlüsselt, die hier nicht lesbar ist. Exportieren Sie mit eigenem Passwort oder unverschlüsselt.";
    trouble_malformed: "The file is broken, or of another format." / "Die Datei ist kaputt oder hat ein anderes Format.";
    trouble_too_many: "There are too many accounts in the file." / "In der Datei sind zu viele Konten.";
    trouble_cost: "The password of this file would take too much memory or time." / "Das Passwort dieser Datei bräuchte zu viel Speicher oder Zeit.";
    trouble_passphrase: "A passphrase has 1 to 1024 bytes." / "Eine Passphrase hat 1 bis 1024 Bytes.";
    trouble_passphrase_short: "At least 8 characters, please." / "Bitte mindestens 8 Zeichen.";
    trouble_passphrase_differs: "The two passphrases differ." / "Die beiden Passphrasen sind verschieden.";
    trouble_text_empty: "There was nothing in it." / "Es war nichts darin.";
    trouble_text_web: "This is a web address, not an account." / "Das ist eine Webadresse, kein Konto.";
    trouble_text_wifi: "This is the QR code of a wireless network, not an account." / "Das ist der QR-Code eines Funknetzes, kein Konto.";
    trouble_text_contact: "This is a contact, not an account for codes." / "Das ist eine Visitenkarte, kein Konto für Codes.";
    trouble_text_other: "This is some text, not an account. An account begins with otpauth://" / "Das ist irgendein Text, kein Konto. Ein Konto beginnt mit otpauth://";
    trouble_key_secret: "The secret key is wrong: it consists of the letters A to Z and the digits 2 to 7." / "Der geheime Schlüssel ist falsch: Er besteht aus den Buchstaben A bis Z und den Ziffern 2 bis 7.";
    trouble_key_account: "The account's name is missing, too long, or has characters that cannot be shown." / "Der Name des Kontos fehlt, ist zu lang oder hat Zeichen, die sich nicht zeigen lassen.";
    trouble_key_account_colon: "The account's name has a colon. Type what stands before it under “Service”." / "Im Namen des Kontos steht ein Doppelpunkt. Tippen Sie, was davor steht, unter „Dienst“ ein.";
    trouble_key_issuer: "The service's name has characters that cannot be shown, or is too long." / "Der Name des Dienstes hat Zeichen, die sich nicht zeigen lassen, oder ist zu lang.";
    trouble_key_counter: "The counter is not a number." / "Der Zähler ist keine Zahl.";
    trouble_key_period: "The seconds per code are not a number that is possible." / "Die Sekunden je Code sind keine mögliche Zahl.";
    trouble_key_other: "The account cannot be read: “{field}” is wrong." / "Das Konto ist nicht lesbar: „{field}“ ist falsch.";
    trouble_qr_too_long: "This is too long for a QR code." / "Das ist zu lang für einen QR-Code.";
    trouble_changed: "The server has yet another version by now. Look again." / "Der Server hat inzwischen eine andere Version. Sehen Sie noch einmal nach.";
    trouble_clock: "The clocks differ too much. Compare them in the settings." / "Die Uhren weichen zu weit ab. Vergleichen Sie sie in den Einstellungen.";
    trouble_unknown_factor: "The server does not know this account." / "Der Server kennt dieses Konto nicht.";
    trouble_ended: "This enrolment was reset or removed. Enrol anew." / "Diese Einrichtung wurde zurückgesetzt oder entfernt. Richten Sie neu ein.";
    trouble_code_refused: "The server did not accept the code. Wait for the next one and try again." / "Der Server hat den Code nicht angenommen. Warten Sie auf den nächsten und versuchen Sie es erneut.";
    trouble_no_worker: "This browser keeps no copy of the app, so every start loads the server's version." / "Dieser Browser behält keine Kopie der App; jeder Start lädt die Version des Servers.";
    trouble_attempts: "Too many attempts. Wait a while." / "Zu viele Versuche. Warten Sie eine Weile.";
    trouble_other: "That did not work ({code})." / "Das hat nicht geklappt ({code}).";
}
