/// Python's operations on strings that need nothing of a rendering.
extension String {
    init(_ scalars: some Sequence<Unicode.Scalar>) {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        self.init(view)
    }

    /// `str.strip`, which takes away any of the characters given; white space where there are none.
    func stripped(of characters: String?, start: Bool = true, end: Bool = true) -> String {
        let wanted = characters.map { Set($0.unicodeScalars) }
        func isTaken(_ scalar: Unicode.Scalar) -> Bool { wanted?.contains(scalar) ?? scalar.isPythonSpace }
        var rest = unicodeScalars[...]
        if start { rest = rest.drop(while: isTaken) }
        while end, let last = rest.last, isTaken(last) { rest.removeLast() }
        return rest.startIndex == startIndex && rest.endIndex == endIndex ? self : String(rest)
    }

    /// What the filter `trim` makes of a text.
    package var trimmedByTemplates: String { stripped(of: nil) }

    /// `str.split()` and `str.rsplit()`: the parts between white space. What lies beyond the limit stays as it is.
    func splitAtSpace(limit: Int, fromEnd: Bool) -> [String] {
        let scalars = fromEnd ? unicodeScalars.reversed() : Array(unicodeScalars)
        var parts: [ArraySlice<Unicode.Scalar>] = []
        var rest = scalars[...].drop(while: \.isPythonSpace)
        while !rest.isEmpty, parts.count < limit {
            let word = rest.prefix { !$0.isPythonSpace }
            parts.append(word)
            rest = rest[word.endIndex...].drop(while: \.isPythonSpace)
        }
        if !rest.isEmpty { parts.append(rest) }
        return fromEnd ? parts.reversed().map { String($0.reversed()) } : parts.map { String($0) }
    }

    /// `str.splitlines()`
    func lines(keepingEnds: Bool = false) -> [String] {
        var lines: [String] = []
        var rest = unicodeScalars[...]
        while !rest.isEmpty {
            let line = rest.prefix { !$0.isLineBreak }
            rest = rest[line.endIndex...]
            var end = rest.prefix(1)
            if end.first == "\r", rest.dropFirst().first == "\n" { end = rest.prefix(2) }
            rest = rest[end.endIndex...]
            lines.append(String(line) + (keepingEnds ? String(end) : ""))
        }
        return lines
    }

    /// `str.lower()`: a Σ at the end of a word is ς.
    var pythonLowercased: String {
        guard contains("Σ") else { return lowercased() }
        let scalars = Array(unicodeScalars)
        return scalars.indices.map { index in
            guard scalars[index] == "Σ" else { return scalars[index].properties.lowercaseMapping }
            let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
            let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
            return before?.properties.isCased == true && after?.properties.isCased != true ? "ς" : "σ"
        }.joined()
    }

    /// `str.capitalize()`
    var pythonCapitalized: String {
        guard let first = unicodeScalars.first else { return "" }
        return first.properties.titlecaseMapping + String(unicodeScalars.dropFirst()).lowercased()
    }

    /// `str.title()`: a word begins after whatever is no letter.
    var pythonTitle: String {
        var title = ""
        var isInWord = false
        for scalar in unicodeScalars {
            title += isInWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
            isInWord = scalar.properties.isCased
        }
        return title
    }

    /// The filter `title`: a word begins after white space, a hyphen or an opening bracket.
    var titledByBreaks: String {
        var title = ""
        var isInWord = false
        for scalar in unicodeScalars {
            title += isInWord ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping
            isInWord = !(scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar))
        }
        return title
    }

    /// `str.istitle()`: capitals stand where words begin and nowhere else, and there is one.
    var isTitle: Bool {
        var isInWord = false
        var found = false
        for scalar in unicodeScalars {
            let isCapital = scalar.properties.isUppercase || scalar.properties.generalCategory == .titlecaseLetter
            guard isCapital || scalar.properties.isLowercase else {
                isInWord = false
                continue
            }
            guard isCapital != isInWord else { return false }
            isInWord = true
            found = true
        }
        return found
    }

    /// `str.isidentifier()`
    var isIdentifier: Bool {
        guard let first = unicodeScalars.first, first == "_" || first.properties.isXIDStart else { return false }
        return unicodeScalars.allSatisfy(\.properties.isXIDContinue)
    }

    var swappingCase: String {
        unicodeScalars.map {
            $0.properties.isUppercase ? $0.properties.lowercaseMapping : $0.properties.uppercaseMapping
        }.joined()
    }

    /// Whether there are characters, and all are of a kind.
    func isAll(_ isWanted: (Unicode.Scalar) -> Bool) -> Bool { !isEmpty && unicodeScalars.allSatisfy(isWanted) }
}
