/// The known name that a misspelt one was most likely meant to be; `nil` if none is close.
package func nearestName(to name: String, among known: some Sequence<String>) -> String? {
    let nearest = known.map { (distance(name, $0), $0) }.min { $0 < $1 }
    return nearest.flatMap { $0.0 <= max(2, name.count / 3) ? $0.1 : nil }
}

/// The Levenshtein distance between two names.
private func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let cost = min(row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
            diagonal = row[j + 1]
            row[j + 1] = cost
        }
    }
    return row[b.count]
}
