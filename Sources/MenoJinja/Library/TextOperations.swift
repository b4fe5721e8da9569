extension Jinja {
    /// A sequence of bytes to be found in others, in time proportional to their length whatever they are (the method of
    /// Knuth, Morris and Pratt).
    struct Pattern {
        private let bytes: [UInt8]
        /// The length of the longest proper prefix that ends at each place.
        private let borders: [Int]

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            var borders = [Int](repeating: 0, count: bytes.count)
            var length = 0
            for place in bytes.indices.dropFirst() {
                while length > 0, bytes[place] != bytes[length] { length = borders[length - 1] }
                if bytes[place] == bytes[length] { length += 1 }
                borders[place] = length
            }
            self.borders = borders
        }

        /// Where the pattern, which is not empty, starts in `text`: every place that overlaps none before it.
        func places(in text: [UInt8], limit: Int = .max) -> [Int] {
            var places: [Int] = []
            var length = 0
            for (place, byte) in text.enumerated() where places.count < limit {
                while length > 0, byte != bytes[length] { length = borders[length - 1] }
                if byte == bytes[length] { length += 1 }
                if length == bytes.count {
                    places.append(place + 1 - length)
                    length = 0
                }
            }
            return places
        }
    }
}

extension Jinja.Renderer {
    /// The byte where a text first occurs in another.
    func find(_ part: String, in text: String) throws -> Int? {
        try places(of: part, in: Array(text.utf8), limit: 1).first
    }

    /// The bytes where a text occurs, none overlapping one nearer to where the search began. An empty text occurs there
    /// only.
    func places(of part: String, in text: [UInt8], limit: Int = .max, fromEnd: Bool = false) throws -> [Int] {
        try budget.spend((part.utf8.count + text.count) / 16)
        if part.utf8.isEmpty { return [fromEnd ? text.count : 0] }
        guard part.utf8.count <= text.count else { return [] }
        let part = Array(part.utf8)
        guard fromEnd else { return Jinja.Pattern(part).places(in: text, limit: limit) }
        return Jinja.Pattern(part.reversed()).places(in: text.reversed(), limit: limit)
            .map { text.count - $0 - part.count }
    }

    /// `str.replace`; a negative count replaces all.
    func replace(_ old: String, with new: String, in text: String, count: Int) throws -> String {
        let limit = count < 0 ? Int.max : count
        try budget.allocate(text.utf8.count, each: 2)
        if old.utf8.isEmpty {
            try budget.allocate(new.utf8.count, each: min(limit, text.utf8.count + 1))
            var result = String.UnicodeScalarView()
            var left = limit
            for scalar in text.unicodeScalars {
                if left > 0 { result.append(contentsOf: new.unicodeScalars) }
                left -= left > 0 ? 1 : 0
                result.append(scalar)
            }
            if left > 0 { result.append(contentsOf: new.unicodeScalars) }
            return String(result)
        }
        let bytes = Array(text.utf8)
        let places = try places(of: old, in: bytes, limit: limit)
        try budget.allocate(new.utf8.count, each: places.count)
        var result: [UInt8] = []
        var start = 0
        for place in places {
            result += bytes[start..<place]
            result += new.utf8
            start = place + old.utf8.count
        }
        result += bytes[start...]
        return String(decoding: result, as: UTF8.self)
    }

    /// `str.split` and `str.rsplit`; without a separator at white space, of which none is left.
    func split(_ text: String, by separator: String?, limit: Int, fromEnd: Bool) throws -> Value {
        let limit = limit < 0 ? Int.max : limit
        try budget.allocate(text.utf8.count, each: 8)
        guard let separator else { return .list(try list(text.splitAtSpace(limit: limit, fromEnd: fromEnd))) }
        guard !separator.utf8.isEmpty else { throw JinjaError("the separator must not be empty.") }
        let bytes = Array(text.utf8)
        let places = try self.places(of: separator, in: bytes, limit: limit, fromEnd: fromEnd)
        var parts: [String] = []
        var start = 0
        for place in fromEnd ? places.reversed() : places {
            parts.append(String(decoding: bytes[start..<place], as: UTF8.self))
            start = place + separator.utf8.count
        }
        parts.append(String(decoding: bytes[start...], as: UTF8.self))
        return .list(try list(parts))
    }

    func list(_ texts: [String]) throws -> Jinja.Items {
        try budget.allocate(texts.count, each: 48)
        return try Jinja.Items(texts.map { .string($0) })
    }

    /// The filter `indent`: every line but the first, and none that is empty unless `blank`.
    func indent(_ text: String, by indent: String, first: Bool, blank: Bool) throws -> String {
        try budget.allocate(text.utf8.count, each: 8)
        // As jinja2 has it, so that a newline at the end is kept.
        let lines = (text + "\n").lines()
        var result = first ? indent : ""
        for (index, line) in lines.enumerated() {
            let isIndented = index > 0 && (blank || !line.isEmpty)
            try budget.allocate(line.utf8.count + (isIndented ? indent.utf8.count : 0))
            if index > 0 { result += "\n" }
            if isIndented { result += indent }
            result += line
        }
        return result
    }
}
