/// How frozen matrices are held in memory.
package enum WeightForm: String, Sendable, Hashable, CaseIterable {
    /// As numbers of the requested type.
    case dense
    /// As the file stores them: quantised blocks stay packed and are decoded during multiplication.
    case packed
}
