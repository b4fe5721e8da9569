/// Puts examples together so that each group has at most so many tokens, in as few groups as best-fit decreasing finds
/// (Johnson, 1974; of language models Ding et al., 2024, arXiv:2404.10830).
package enum BestFitPacking {
    /// - Parameters:
    ///   - lengths: of each example; longer ones than the capacity are alone.
    ///   - capacity: tokens of a group.
    /// - Returns: positions, those of a group ascending, and groups in the order of their first examples.
    package static func groups(_ lengths: [Int], capacity: Int) -> [[Int]] {
        precondition(capacity > 0)
        let order = lengths.indices.sorted { (-lengths[$0], $0) < (-lengths[$1], $1) }
        var groups: [[Int]] = []
        // Groups by the room that is left in each.
        var rooms = [[Int]](repeating: [], count: capacity + 1)
        var open = OpenRooms(count: capacity + 1)
        for position in order {
            let length = lengths[position]
            guard length <= capacity, let room = open.first(from: length), let group = rooms[room].popLast() else {
                groups.append([position])
                if length < capacity { Self.put(groups.count - 1, capacity - length, &rooms, &open) }
                continue
            }
            if rooms[room].isEmpty { open.close(room) }
            groups[group].append(position)
            if room > length { Self.put(group, room - length, &rooms, &open) }
        }
        for group in groups.indices { groups[group].sort() }
        return groups.sorted { $0[0] < $1[0] }
    }

    private static func put(_ group: Int, _ room: Int, _ rooms: inout [[Int]], _ open: inout OpenRooms) {
        rooms[room].append(group)
        open.open(room)
    }

    /// Which rooms some group has, a bit for each.
    private struct OpenRooms {
        private var words: [UInt64]

        init(count: Int) { words = Array(repeating: 0, count: count / 64 + 1) }

        mutating func open(_ room: Int) { words[room / 64] |= 1 << UInt64(room % 64) }
        mutating func close(_ room: Int) { words[room / 64] &= ~(1 << UInt64(room % 64)) }

        /// The smallest that is large enough.
        func first(from room: Int) -> Int? {
            var word = words[room / 64] & ~0 << UInt64(room % 64)
            var index = room / 64
            while word == 0 {
                index += 1
                guard index < words.count else { return nil }
                word = words[index]
            }
            return index * 64 + word.trailingZeroBitCount
        }
    }
}
