/// What names a model of the Hub: `org/name`, `org/name@revision`, `org/name:file.gguf` or `org/name@revision:Q4_K_M`.
package struct HubReference: Sendable, Hashable, CustomStringConvertible {
    /// `org/name`
    package let id: String
    /// A branch, a tag or a commit; `nil` is the branch `main`.
    package var revision: String?
    /// A `.gguf` file of the repository, or the name of a quantisation: `Q4_K_M`.
    package let selector: String?
    /// Whether it names a dataset; ``selector`` then names a file or a folder of it.
    package var isDataset = false

    /// The repository, as addresses have it.
    var address: String { (isDataset ? "datasets/" : "") + id }

    package static let defaultRevision = "main"

    package init(id: String, revision: String? = nil, selector: String? = nil) {
        self.id = id
        self.revision = revision
        self.selector = selector
    }

    /// Reads a reference; `nil` where a text cannot be one.
    package init?(_ text: String) {
        guard let match = text.wholeMatch(of: Self.form), Self.isName(match.1), Self.isName(match.2) else { return nil }
        let (revision, selector) = (match.3.map(String.init), match.4.map(String.init))
        guard revision.map(Self.isRevision) ?? true, selector.map(Self.isFileName) ?? true else { return nil }
        self.init(id: "\(match.1)/\(match.2)", revision: revision, selector: selector)
    }

    // A revision of git has no colon in it.
    private static var form: Regex<(Substring, Substring, Substring, Substring?, Substring?)> {
        #/([\w.-]+)\/([\w.-]+)(?:@([^:\s]+))?(?::(\S+))?/#
    }

    /// Whether it may be a part of an id: as on the Hub, where names neither begin nor end with `.` or `-`, and `--` and `..` are
    /// refused. A path such as `../model` is none.
    private static func isName(_ text: Substring) -> Bool {
        text.count <= 96 && text.allSatisfy { $0.isASCII } && !text.contains("--") && !text.contains("..")
            && !text.hasPrefix(".") && !text.hasPrefix("-")
            && !text.hasSuffix(".") && !text.hasSuffix("-")
    }

    /// Whether it may name a revision, and a file in `refs` of the cache.
    private static func isRevision(_ text: String) -> Bool {
        text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".lock")
        } && !text.contains("..") && !text.contains { "\\~^?*[\0".contains($0) }
    }

    /// Whether it is a path inside a repository that leads nowhere else.
    static func isFileName(_ text: String) -> Bool {
        text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && $0 != "." && $0 != ".."
        } && !text.contains { $0 == "\\" || $0.asciiValue.map { $0 < 0x20 } ?? false }
    }

    /// The revision that is asked for.
    var requestedRevision: String { revision ?? Self.defaultRevision }

    /// Whether the revision is a whole commit, which never changes.
    package var isPinned: Bool { revision.map(Self.isCommit) ?? false }

    static func isCommit(_ text: String) -> Bool { text.wholeMatch(of: #/[0-9a-f]{40}/#) != nil }

    /// The same at a commit.
    package func pinned(to commit: String) -> HubReference {
        var pinned = self
        pinned.revision = commit
        return pinned
    }

    package var description: String {
        id + (revision.map { "@\($0)" } ?? "") + (selector.map { ":\($0)" } ?? "")
    }
}
