internal import MenoTensor

/// The location of a weight in a saved model.
struct SavedPlace {
    var name: String
    /// Its slice, if the tensor holds the matrices of all experts.
    var slice: ExpertSlice?
    /// Whether it is stored as `[in, out]`.
    var isTransposed = false

    /// The shape of the tensor that has a weight of this shape.
    func shape(_ shape: [Int]) -> [Int] {
        isTransposed ? shape.reversed() : slice?.storedShape(shape) ?? shape
    }
}

/// Conversion of weights to transformers' layout.
extension DecoderConfiguration {
    func savedPlace(of name: String) -> SavedPlace {
        let names = architecture.names
        guard names.experts.writesStacks || names.isTransposed,
            let place = names.place(transformers: ModuleNames.alone(name)), let layer = place.layer
        else { return SavedPlace(name: name) }
        if names.isTransposed, place.part.isLinear, place.kind == "weight" {
            return SavedPlace(name: name, isTransposed: true)
        }
        guard names.experts.writesStacks, let stack = names.experts.stacks.first, let expert = place.expert,
            let count = layers[layer].feedForward.experts?.count
        else { return SavedPlace(name: name) }
        let isDown = place.part == .expertDown
        let stored = (isDown ? stack.down : stack.gateUp) + (place.kind == "bias" ? "_bias" : "")
        let slice = ExpertSlice(
            expert: expert, count: count, part: place.part == .expertUp ? 1 : 0, parts: isDown ? 1 : 2,
            takesTurns: stack.takesTurns && !isDown, isTransposed: stack.isTransposed)
        return SavedPlace(name: "\(names.layerPrefix)\(layer).\(stored)", slice: slice)
    }
}

extension NamedValues {
    /// Combines the weights of experts and transposes others, according to their places.
    func placed(_ place: (String) -> SavedPlace) -> NamedValues {
        var (result, indices) = ([Entry](), [String: Int]())
        for entry in entries {
            let saved = place(entry.name)
            guard saved.slice != nil || saved.isTransposed else {
                result.append(entry)
                continue
            }
            let shape = saved.shape(entry.shape)
            let index = indices[saved.name] ?? result.count
            if index == result.count {
                indices[saved.name] = index
                let zeros = [Float](repeating: 0, count: shape.reduce(1, *))
                result.append(Entry(name: saved.name, shape: shape, values: zeros))
            }
            let (rows, columns) = (entry.shape[0], entry.shape.dropFirst().reduce(1, *))
            for (place, value) in entry.values.enumerated() {
                let (row, column) = (place / columns, place % columns)
                let target = saved.slice?.place(row: row, column: column, entry.shape) ?? column * rows + row
                result[index].values[target] = value
            }
        }
        var values = self
        values.entries = result
        return values
    }
}
