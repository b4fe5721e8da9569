/// How frozen matrices are held in memory.
package enum WeightForm: String, Sendable, Hashable, CaseIterable {
    /// As numbers of the type that is asked for.
    case dense
    /// As the file stores them: blocks of GGUF files stay packed, and are decoded where they are multiplied.
    case packed
}
