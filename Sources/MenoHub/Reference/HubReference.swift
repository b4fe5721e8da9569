/// A reference to a Hub model: `org/name`, `org/name@revision`, `org/name:file.gguf` or `org/name@revision:Q4_K_M`.
package struct HubReference: Sendable, Hashable, CustomStringConvertible {
    /// `org/name`
    package let id: String
    /// A branch, a tag or a commit; `nil` is the branch `main`.
    package var revision: String?
    /// A `.gguf` file in the repository, or the name of a quantisation: `Q4_K_M`.
    package let selector: String?
    /// Whether it refers to a dataset; ``selector`` then names a file or folder in it.
    package var isDataset = false

    /// The repository's part of a URL.
    var address: String { (isDataset ? "datasets/" : "") + id }

    package static let defaultRevision = "main"

    package init(id: String, revision: String? = nil, selector: String? = nil) {
        self.id = id
        self.revision = revision
        self.selector = selector
    }

    /// Parses a reference; `nil` if the text is not one.
    package init?(_ text: String) {
        guard let match = text.wholeMatch(of: Self.form), Self.isName(match.1), Self.isName(match.2) else { return nil }
        let (revision, selector) = (match.3.map(String.init), match.4.map(String.init))
        guard revision.map(Self.isRevision) ?? true, selector.map(Self.isFileName) ?? true else { return nil }
        self.init(id: "\(match.1)/\(match.2)", revision: revision, selector: selector)
    }

    // A git revision cannot contain a colon.
    private static var form: Regex<(Substring, Substring, Substring, Substring?, Substring?)> {
        #/([\w.-]+)\/([\w.-]+)(?:@([^:\s]+))?(?::(\S+))?/#
    }

    /// Whether the text may be a part of an id. As on the Hub, names neither begin nor end with `.` or `-` and do not
    /// contain `--` or `..`, so a path such as `../model` is not an id.
    private static func isName(_ text: Substring) -> Bool {
        text.count <= 96 && text.allSatisfy { $0.isASCII } && !text.contains("--") && !text.contains("..")
            && !text.hasPrefix(".") && !text.hasPrefix("-")
            && !text.hasSuffix(".") && !text.hasSuffix("-")
    }

    /// Whether the text may name a revision, and a file in `refs` in the cache.
    private static func isRevision(_ text: String) -> Bool {
        text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".lock")
        } && !text.contains("..") && !text.contains { "\\~^?*[\0".contains($0) }
    }

    /// Whether the text is a path that stays inside the repository.
    static func isFileName(_ text: String) -> Bool {
        text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && $0 != "." && $0 != ".."
        } && !text.contains { $0 == "\\" || $0.asciiValue.map { $0 < 0x20 } ?? false }
    }

    /// The requested revision.
    var requestedRevision: String { revision ?? Self.defaultRevision }

    /// Whether the revision is a full commit hash, which never changes.
    package var isPinned: Bool { revision.map(Self.isCommit) ?? false }

    static func isCommit(_ text: String) -> Bool { text.wholeMatch(of: #/[0-9a-f]{40}/#) != nil }

    /// The same reference at a given commit.
    package func pinned(to commit: String) -> HubReference {
        var pinned = self
        pinned.revision = commit
        return pinned
    }

    package var description: String {
        id + (revision.map { "@\($0)" } ?? "") + (selector.map { ":\($0)" } ?? "")
    }
}
