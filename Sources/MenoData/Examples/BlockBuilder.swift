package import MenoTokenizers

/// Joins documents and cuts them into blocks of one length, for continued pre-training: all but the last one are full, and no
/// token is lost.
package struct BlockBuilder: Sendable {
    /// Tokens of a block.
    let length: Int
    /// Tokens that a block begins with from the end of the one before: context that is not learnt again.
    let overlap: Int
    let bosID: TokenID?
    private(set) var rest: Rest

    /// What has not filled a block yet.
    package struct Rest: Codable, Sendable {
        fileprivate var ids: [TokenID] = []
        fileprivate var carriesLoss: [Bool] = []
        /// How many at the beginning the block before has, too.
        fileprivate var repeated = 0
        fileprivate var places: [String] = []
        fileprivate var source: String?
    }

    package init(length: Int, overlap: Int, bosID: TokenID?) {
        precondition(length > 1 && overlap >= 0 && overlap < length)
        (self.length, self.overlap, self.bosID) = (length, overlap, bosID)
        rest = Rest()
    }

    /// Continues behind documents that were cut before.
    mutating func resume(_ rest: Rest?) { if let rest { self.rest = rest } }

    /// Adds a document with its EOS.
    /// - Returns: the blocks that are full now.
    mutating func blocks(with document: Example) -> [Example] {
        if rest.ids.count == rest.repeated { (rest.places, rest.source) = ([], document.source) }
        let isFirst = rest.ids.isEmpty
        rest.ids += document.ids
        // A document's first token follows from the one before it; BOS follows from nothing that a model should learn.
        rest.carriesLoss += document.ids.indices.map { index in
            index > 0 ? document.labels[index] != Example.ignoredLabel : !isFirst && document.ids[0] != bosID
        }
        rest.places = rest.places.prefix(1) + [document.place]
        var blocks: [Example] = []
        while rest.ids.count >= length { blocks.append(cut(length, last: document)) }
        return blocks
    }

    /// The last block, which need not be full.
    mutating func last() -> Example? {
        guard rest.ids.count > rest.repeated else { return nil }
        let block = block(rest.ids.count)
        rest = Rest()
        return block.labelCount > 0 ? block : nil
    }

    private mutating func cut(_ count: Int, last document: Example) -> Example {
        let block = block(count)
        rest.ids.removeFirst(count - overlap)
        rest.carriesLoss.removeFirst(count - overlap)
        rest.repeated = overlap
        rest.places = [document.place]
        rest.source = document.source
        return block
    }

    private func block(_ count: Int) -> Example {
        let ids = Array(rest.ids.prefix(count))
        let labels = ids.enumerated().map { index, id in
            index >= max(1, rest.repeated) && rest.carriesLoss[index] ? id : Example.ignoredLabel
        }
        return Example(
            ids: ids, labels: labels, isCompletion: Array(repeating: true, count: count),
            place: rest.places.count > 1 ? "\(rest.places[0]) to \(rest.places[1])" : rest.places.first ?? "",
            source: rest.source)
    }
}
