/// A tensor as transformers writes it, which may combine the weights of several layers.
package struct MergedTensor {
    package let name: String
    package let shape: [Int]
    /// The weights in the tensor. Those of a group are interleaved, and the groups follow one another.
    fileprivate var groups: [[StoredModel.Parameter]]

    package var count: Int { shape.reduce(1, *) }
}

extension MergedModel {
    /// Every tensor once, in the order of computation.
    package var tensors: [MergedTensor] {
        var (result, indices) = ([MergedTensor](), [String: Int]())
        for parameter in model.parameters {
            let place = model.configuration.savedPlace(of: parameter.name)
            guard let slice = place.slice else {
                let shape = place.shape(parameter.shape)
                result.append(MergedTensor(name: place.name, shape: shape, groups: [[parameter]]))
                continue
            }
            let index = indices[place.name] ?? result.count
            if index == result.count {
                indices[place.name] = index
                let groups = Array(repeating: [StoredModel.Parameter](), count: slice.count)
                result.append(MergedTensor(name: place.name, shape: place.shape(parameter.shape), groups: groups))
            }
            // Gates come before ups, as in the stack.
            result[index].groups[slice.expert].append(parameter)
        }
        return result
    }

    /// Processes a tensor in parts, as ``forEachPart(of:together:_:)``.
    package func forEachPart(
        of tensor: MergedTensor, together: (StoredModel.Parameter) -> Int,
        _ body: (_ values: inout [Float]) throws -> Void
    ) throws {
        for group in tensor.groups {
            let places = group.map { model.configuration.savedPlace(of: $0.name) }
            guard places.contains(where: { $0.slice != nil || $0.isTransposed }) else {
                for parameter in group { try forEachPart(of: parameter, together: together(parameter), body) }
                continue
            }
            var values = [Float](repeating: 0, count: group.reduce(0) { $0 + $1.count })
            for (parameter, place) in zip(group, places) {
                // Within the group, the expert is the only one.
                var slice = place.slice
                slice?.expert = 0
                slice?.count = 1
                var start = 0
                let (rows, columns) = (parameter.shape[0], parameter.columns)
                try forEachPart(of: parameter, together: together(parameter)) { part in
                    for (index, value) in part.enumerated() {
                        let (row, column) =
                            parameter.isMatrix
                            ? ((start + index) / columns, (start + index) % columns) : (start + index, 0)
                        let target = slice?.place(row: row, column: column, parameter.shape) ?? column * rows + row
                        values[target] = value
                    }
                    start += part.count
                }
            }
            try body(&values)
        }
    }
}
