/// The columns of a Parquet file, as a tree.
struct ParquetSchema {
    /// How a leaf's values lie in a page.
    enum Physical: Int {
        case boolean, int32, int64, int96, float, double, bytes, fixed
    }

    /// What a value means beyond its physical type.
    enum Meaning { case plain, text, unsigned32, unsigned64, float16, list, map }

    final class Node {
        let name: String
        let isRepeated: Bool
        let isOptional: Bool
        let meaning: Meaning
        /// Levels from which on the node is there, and at which it repeats.
        let definition: Int
        let repetition: Int
        let children: [Node]
        /// Of a leaf, its place among the columns.
        let column: Int?
        /// The first leaf below, or itself, and how many there are.
        let firstColumn: Int
        let columnCount: Int

        init(
            name: String, isRepeated: Bool, isOptional: Bool, meaning: Meaning, definition: Int, repetition: Int,
            children: [Node], column: Int?, firstColumn: Int, columnCount: Int
        ) {
            self.name = name
            self.isRepeated = isRepeated
            self.isOptional = isOptional
            self.meaning = meaning
            self.definition = definition
            self.repetition = repetition
            self.children = children
            self.column = column
            self.firstColumn = firstColumn
            self.columnCount = columnCount
        }
    }

    struct Leaf {
        var name: String
        var physical: Physical
        var meaning: Meaning
        /// Bytes of a fixed value.
        var length: Int
        var definition: Int
        var repetition: Int
    }

    private(set) var columns: [Node] = []
    private(set) var leaves: [Leaf] = []
    private var elements: [ThriftValue]
    private var place = 1

    init(_ elements: [ThriftValue]) throws(ParquetFault) {
        self.elements = elements
        guard let root = elements.first else { throw ParquetFault("it has no schema") }
        let count = root[5]?.integer ?? 0
        guard count <= elements.count else { throw ParquetFault("its schema is cut off") }
        for _ in 0..<max(0, count) { columns.append(try node(definition: 0, repetition: 0, depth: 0)) }
        self.elements = []
    }

    private mutating func node(definition outerDefinition: Int, repetition outerRepetition: Int, depth: Int)
        throws(ParquetFault) -> Node
    {
        guard place < elements.count else { throw ParquetFault("its schema is cut off") }
        guard depth < 64 else { throw ParquetFault("its schema is nested too deep") }
        let element = elements[place]
        place += 1
        let kind = element[3]?.integer ?? 0
        let (isOptional, isRepeated) = (kind == 1, kind == 2)
        let (definition, repetition) = (
            outerDefinition + (isOptional || isRepeated ? 1 : 0), outerRepetition + (isRepeated ? 1 : 0)
        )
        let name = element[4]?.string ?? ""
        let first = leaves.count
        let count = element[5]?.integer ?? 0
        let meaning = Self.meaning(element)
        var children: [Node] = []
        if count > 0 {
            guard count <= elements.count else { throw ParquetFault("its schema is cut off") }
            for _ in 0..<count {
                children.append(try node(definition: definition, repetition: repetition, depth: depth + 1))
            }
        } else {
            guard let physical = element[1]?.integer.flatMap(Physical.init) else {
                throw ParquetFault("column \"\(name)\" has an unknown type")
            }
            leaves.append(
                Leaf(
                    name: name, physical: physical, meaning: meaning, length: max(0, element[2]?.integer ?? 0),
                    definition: definition, repetition: repetition))
        }
        return Node(
            name: name, isRepeated: isRepeated, isOptional: isOptional, meaning: meaning, definition: definition,
            repetition: repetition, children: children, column: count > 0 ? nil : first, firstColumn: first,
            columnCount: leaves.count - first)
    }

    private static func meaning(_ element: ThriftValue) -> Meaning {
        // Logical types are a union: the field that is set tells which it is.
        if case .fields(let logical)? = element[10], let field = logical.keys.first {
            switch field {
            case 1, 4, 12: return .text
            case 2: return .map
            case 3: return .list
            case 15: return .float16
            default: break
            }
        }
        switch element[6]?.integer {
        case 0, 4, 19: return .text
        case 1, 2: return .map
        case 3: return .list
        case 11, 12, 13: return .unsigned32
        case 14: return .unsigned64
        default: return .plain
        }
    }
}
