/// The scalars of a text that several steps look at, and memory for what they find of them.
struct SplitWorkspace {
    fileprivate var text = ScalarText([])
    /// Whether ``text`` is of the pieces as they are now.
    fileprivate var isCurrent = false
    fileprivate var masks: [UInt64] = []
    fileprivate var ranges: [Range<Int>] = []

    /// To be called where a text is changed.
    mutating func forget() { isCurrent = false }
}

/// Splitting by what scalars are. The text is decoded once for all pieces and steps.
extension PreTokenizer {
    static func split(_ pieces: inout Pieces, _ behavior: Behavior, isInverted: Bool, by pattern: Pattern) {
        pieces.decode()
        var masks: [UInt64] = []
        swap(&masks, &pieces.workspace.masks)
        pattern.classes.classify(pieces.workspace.text.scalars, into: &masks)
        PatternMatcher.with(pattern) { matcher in
            masks.withUnsafeBufferPointer { masks in
                pieces.split(behavior, isInverted: isInverted) { scalars, places, found in
                    matcher.forEachMatch(
                        in: UnsafeBufferPointer(rebasing: scalars[places]),
                        UnsafeBufferPointer(rebasing: masks[places]), found)
                }
            }
        }
        swap(&masks, &pieces.workspace.masks)
    }

    static func split(_ pieces: inout Pieces, _ behavior: Behavior, at set: ScalarSet) {
        pieces.decode()
        pieces.split(behavior, isInverted: false) { scalars, places, found in
            for place in places where set.contains(scalars[place]) {
                found(place - places.lowerBound, place + 1 - places.lowerBound)
            }
        }
    }
}

extension PreTokenizer.Pieces {
    fileprivate mutating func decode() {
        guard !workspace.isCurrent else { return }
        let bytes = text.bytes[(ranges.first?.lowerBound ?? 0)..<(ranges.last?.upperBound ?? 0)]
        if areStandIns { workspace.text.read(standInsOf: bytes) } else { workspace.text.read(bytes) }
        workspace.isCurrent = true
    }

    /// - Parameter find: is given the places of each piece's scalars, and tells what it finds by places in the piece.
    @inline(__always)
    fileprivate mutating func split(
        _ behavior: PreTokenizer.Behavior, isInverted: Bool,
        _ find: (UnsafeBufferPointer<UInt32>, Range<Int>, (_ start: Int, _ end: Int) -> Void) -> Void
    ) {
        var result: [Range<Int>] = []
        swap(&result, &workspace.ranges)
        result.removeAll(keepingCapacity: true)
        workspace.text.scalars.withUnsafeBufferPointer { scalars in
            workspace.text.offsets.withUnsafeBufferPointer { offsets in
                var end = 0
                for range in ranges {
                    while offsets[end] < range.lowerBound { end += 1 }
                    let start = end
                    while offsets[end] < range.upperBound { end += 1 }
                    if behavior == .isolated, !isInverted {
                        var place = range.lowerBound
                        find(scalars, start..<end) {
                            let match = offsets[start + $0]..<offsets[start + $1]
                            if place < match.lowerBound { result.append(place..<match.lowerBound) }
                            if !match.isEmpty { result.append(match) }
                            place = match.upperBound
                        }
                        if place < range.upperBound { result.append(place..<range.upperBound) }
                    } else {
                        var matches: [Range<Int>] = []
                        find(scalars, start..<end) { matches.append(offsets[start + $0]..<offsets[start + $1]) }
                        result += PreTokenizer.cut(range, at: matches, behavior, isInverted: isInverted)
                    }
                }
            }
        }
        swap(&result, &ranges)
        swap(&result, &workspace.ranges)
    }
}
