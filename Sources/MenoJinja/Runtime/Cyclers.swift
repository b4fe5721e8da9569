/// Values that give something else each time they are asked.
extension Jinja {
    /// `cycler(…)`: gives its items in turn, from the first after the last.
    final class Cycler {
        let items: Items
        private var place = 0

        init(_ items: Items) { self.items = items }

        var current: Value { items.values[place] }

        func next() -> Value {
            defer { place = (place + 1) % items.values.count }
            return current
        }

        func reset() { place = 0 }
    }

    /// `joiner(separator)`: nothing when it is called first, then the separator.
    final class Joiner {
        private let separator: Value
        private var isUsed = false
        let depth: Int

        init(_ separator: Value) throws {
            self.separator = separator
            depth = try Jinja.depth(over: CollectionOfOne(separator))
        }

        func next() -> Value {
            defer { isUsed = true }
            return isUsed ? separator : .string("")
        }
    }
}
