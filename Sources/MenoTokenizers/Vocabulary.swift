/// A token's number.
public typealias TokenID = Int32

/// Tokens by number and by their exact bytes. (Swift compares strings by canonical equivalence, which would confuse
/// composed and decomposed characters.)
struct Vocabulary: Sendable {
    private(set) var tokens: [[UInt8]]
    private var ids: [ArraySlice<UInt8>: TokenID]

    /// - Parameter tokens: the bytes of each token; of equal ones the first counts.
    init(_ tokens: [[UInt8]]) {
        self.tokens = tokens
        ids = [:]
        ids.reserveCapacity(tokens.count)
        for (id, token) in tokens.enumerated() where ids[token[...]] == nil { ids[token[...]] = TokenID(id) }
    }

    func id(of bytes: ArraySlice<UInt8>) -> TokenID? { ids[bytes] }
    func id(of text: String) -> TokenID? { ids[Array(text.utf8)[...]] }
}
