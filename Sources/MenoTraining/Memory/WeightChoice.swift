package import MenoModels
package import MenoTensor

/// How a run holds the weights that it does not train.
public enum WeightChoice: String, Sendable, Hashable, CaseIterable {
    /// Packed if dense weights would not fit comfortably or bitsandbytes has quantised them.
    case auto
    case dense, packed

    /// The share of the available memory that dense weights may take: passes and the optimizer need room beside them.
    private static let comfortableShare = 1.0 / 3

    /// What it means for a model.
    /// - Parameters:
    ///   - dtype: what dense weights would be held in.
    ///   - generates: whether the model only generates text: every token reads all weights, so the fewer bytes the faster.
    ///   - available: bytes that this process may still take; `nil` where nothing tells.
    package func form(
        of files: ModelFiles, dtype: DType, device: Device, generates: Bool = false, available: Int?
    ) -> WeightForm {
        switch self {
        case .dense: return .dense
        case .packed: return .packed
        case .auto:
            guard device.kind == .cpu else { return .dense }
            if files.isQuantizedByBitsandbytes { return .packed }
            guard files.hasPackedWeights(quantized: true) else { return .dense }
            if generates, Torch.hasOwnProducts { return .packed }
            guard let available else { return .dense }
            let isComfortable = Double(files.parameterCount * dtype.size) <= Self.comfortableShare * Double(available)
            return isComfortable ? .dense : .packed
        }
    }

    /// The same beside the memory that there is now.
    package func form(of files: ModelFiles, dtype: DType, device: Device, generates: Bool = false) -> WeightForm {
        form(
            of: files, dtype: dtype, device: device, generates: generates,
            available: MemoryLimit.available(on: device))
    }

    /// The choice that stands for a form.
    package init(_ form: WeightForm) { self = form == .packed ? .packed : .dense }
}
