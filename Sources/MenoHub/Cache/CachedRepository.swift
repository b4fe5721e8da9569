package import Foundation
internal import MenoErrors
internal import MenoFormats

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The folder that Hugging Face programs share, `~/.cache/huggingface/hub`, and one repository in it.
///
/// ```
/// models--org--name/blobs/ETAG                 the bytes of a file, under its checksum
/// models--org--name/refs/main                  the commit that a branch was at
/// models--org--name/snapshots/COMMIT/NAME      a link to the blob
/// models--org--name/.no_exist/COMMIT/NAME      the commit has no such file
/// .locks/models--org--name/ETAG.lock           held by whoever downloads the blob
/// ```
package struct CachedRepository: Sendable {
    let id: String
    let cache: URL
    package let folder: URL

    /// `models--org--name`, or `datasets--org--name`.
    private let folderName: String

    package init(_ id: String, in cache: URL) { self.init(id, in: cache, folderName: Self.folderName(id)) }

    init(_ reference: HubReference, in cache: URL) {
        let name = Self.folderName(reference.id)
        self.init(
            reference.id, in: cache,
            folderName: reference.isDataset ? "datasets--" + name.dropFirst(Self.prefix.count) : name)
    }

    private init(_ id: String, in cache: URL, folderName: String) {
        self.id = id
        self.cache = cache
        self.folderName = folderName
        folder = cache.appending(path: folderName, directoryHint: .isDirectory)
    }

    static let prefix = "models--"

    static func folderName(_ id: String) -> String { prefix + id.replacing("/", with: "--") }

    /// `org/name` of a folder's name.
    static func id(ofFolder name: String) -> String? {
        guard name.hasPrefix(prefix), case let rest = name.dropFirst(prefix.count), !rest.isEmpty else { return nil }
        return String(rest).replacing("--", with: "/", maxReplacements: 1)
    }

    /// The repository and commit of a path in any such cache: `…/models--org--name/snapshots/COMMIT/…`.
    package static func place(of url: URL) -> (id: String, commit: String)? {
        guard let match = url.standardizedFileURL.path.firstMatch(of: #/\/(models--[^\/]+)\/snapshots\/([^\/]+)/#),
            let id = id(ofFolder: String(match.1))
        else { return nil }
        return (id, String(match.2))
    }

    var blobs: URL { folder.appending(path: "blobs", directoryHint: .isDirectory) }
    var refs: URL { folder.appending(path: "refs", directoryHint: .isDirectory) }
    var snapshots: URL { folder.appending(path: "snapshots", directoryHint: .isDirectory) }
    var locks: URL { cache.appending(path: ".locks/\(folderName)", directoryHint: .isDirectory) }

    func blob(_ etag: String) -> URL { blobs.appending(path: etag) }
    func lock(_ etag: String) -> URL { locks.appending(path: "\(etag).lock") }

    package func snapshot(_ commit: String) -> URL {
        snapshots.appending(path: commit, directoryHint: .isDirectory)
    }

    private func absence(_ name: String, _ commit: String) -> URL {
        folder.appending(path: ".no_exist/\(commit)/\(name)")
    }

    // MARK: Reading

    /// The commit that a revision pointed to when it was last looked up.
    func commit(of revision: String) -> String? {
        if HubReference.isCommit(revision) { return revision }
        guard let text = try? String(contentsOf: refs.appending(path: revision), encoding: .utf8) else { return nil }
        let commit = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return HubReference.isCommit(commit) ? commit : nil
    }

    /// What the cache knows about a file at a commit.
    enum Presence {
        case present, absent, unknown
    }

    func presence(of name: String, at commit: String) -> Presence {
        // A link whose blob was removed does not count, so this follows links.
        if exists(snapshot(commit).appending(path: name)) { return .present }
        return exists(absence(name, commit)) ? .absent : .unknown
    }

    /// The names of the files present at a commit, including those in folders, sorted.
    func files(at commit: String) -> [String] {
        let root = snapshot(commit)
        guard let paths = FileManager.default.enumerator(atPath: root.path) else { return [] }
        return paths.compactMap { $0 as? String }.filter { isFile(root.appending(path: $0)) }.sorted()
    }

    private func exists(_ url: URL) -> Bool { access(url.path, F_OK) == 0 }

    private func isFile(_ url: URL) -> Bool {
        var information = stat()
        return stat(url.path, &information) == 0 && information.st_mode & S_IFMT == S_IFREG
    }

    // MARK: Writing

    /// Creates the folders, and marks the cache so that backup programs skip it.
    func create() throws {
        for folder in [blobs, snapshots, locks] { try createFolder(folder) }
        let tag = cache.appending(path: "CACHEDIR.TAG")
        guard !exists(tag) else { return }
        // Signature from https://bford.info/cachedir/
        let text =
            "Signature: 8a477f597d28d172789f06886806bc55\n# This folder holds models that can be downloaded again.\n"
        try? WholeFile.write(Data(text.utf8), to: tag, durability: .none, isShared: true)
    }

    /// Records the commit that a revision points to.
    func record(_ commit: String, of revision: String) throws {
        guard revision != commit, self.commit(of: revision) != commit else { return }
        let file = refs.appending(path: revision)
        try createFolder(file.deletingLastPathComponent())
        // Other processes may be doing the same, so each writes a separate file and renames it.
        let partial = file.appendingPathExtension("\(UUID().uuidString.prefix(8)).tmp")
        do {
            try WholeFile.write(Data(commit.utf8), to: partial, durability: .contents)
        } catch let error as FormatError {
            throw HubError(.inputOutput, at: file.path, error.message, advice: Self.elsewhere)
        }
        guard rename(partial.path, file.path) == 0 else {
            throw HubError(systemError: errno, file.path, "cannot be renamed")
        }
    }

    /// Records that a commit has no file of a name. That only saves a request later, so it does not matter if the
    /// cache cannot be written.
    func recordAbsence(of name: String, at commit: String) {
        let file = absence(name, commit)
        guard !exists(file) else { return }
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        close(open(file.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666))
    }

    /// Gives a blob its name in a snapshot.
    func link(_ etag: String, as name: String, at commit: String) throws {
        let link = snapshot(commit).appending(path: name)
        guard !exists(link) else { return }
        try createFolder(link.deletingLastPathComponent())
        let depth = name.split(separator: "/").count + 1
        let target = String(repeating: "../", count: depth) + "blobs/\(etag)"
        // The existing link is dangling.
        unlink(link.path)
        if symlink(target, link.path) == 0 { return }
        let code = errno
        // Another process has just created it.
        if code == EEXIST, exists(link) { return }
        // On file systems without links, `huggingface_hub` also stores the file itself there.
        guard [EPERM, ENOTSUP, ENOSYS].contains(code), rename(blob(etag).path, link.path) == 0 else {
            throw HubError(systemError: code, link.path, "cannot be created")
        }
    }

    private func createFolder(_ url: URL) throws {
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw HubError(
                .inputOutput, at: url.path, "cannot be created (\(error.localizedDescription)).", advice: Self.elsewhere
            )
        }
    }

    static let elsewhere = "Set HF_HUB_CACHE to use another folder for the cache."
}

extension CodedError<HubErrorCode> {
    /// - Parameter code: an `errno` value.
    init(systemError code: Int32, _ path: String, _ what: String) {
        let reason = String(cString: strerror(code))
        if code == ENOSPC || code == EDQUOT {
            self.init(
                .noSpace, at: path, "\(what): the disk is full (\(reason)).",
                advice:
                    "Free some space, or set HF_HUB_CACHE to a folder on another disk. The part that was downloaded is kept."
            )
        } else {
            self.init(.inputOutput, at: path, "\(what) (\(reason)).", advice: CachedRepository.elsewhere)
        }
    }
}
