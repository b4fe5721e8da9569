internal import CTorch

/// The device that holds a tensor.
package struct Device: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable { case cpu, cuda, mps }

    package var kind: Kind
    /// The index among devices of this kind, from 0.
    package var index: Int

    package init(_ kind: Kind, index: Int = 0) {
        self.kind = kind
        self.index = index
    }

    package static let cpu = Device(.cpu)
    package static let cuda = Device(.cuda)
    package static let mps = Device(.mps)

    /// The number of devices of a kind that libtorch can use on this machine.
    package static func count(of kind: Kind) -> Int { Int(ct_device_count(Device(kind).raw.type)) }

    /// The best available device: CUDA, then MPS, then the CPU.
    package static var best: Device {
        if count(of: .cuda) > 0 { return .cuda }
        if count(of: .mps) > 0 { return .mps }
        return .cpu
    }

    /// The reason why Meno's kernels cannot be used on this device; `nil` if they can.
    package var kernelFault: String? {
        do {
            _ = try Kernels.requireKernels(.device(self))
            return nil
        } catch {
            return (error as? TorchError)?.message ?? "\(error)"
        }
    }

    package var description: String {
        switch kind {
        case .cpu: "cpu"
        case .cuda: "cuda:\(index)"
        case .mps: "mps"
        }
    }

    var raw: ct_device {
        let type: ct_device_type =
            switch kind {
            case .cpu: CT_CPU
            case .cuda: CT_CUDA
            case .mps: CT_MPS
            }
        return ct_device(type: type, index: Int32(index))
    }

    init(raw: ct_device) {
        switch raw.type {
        case CT_CUDA: self.init(.cuda, index: Int(raw.index))
        case CT_MPS: self.init(.mps, index: Int(raw.index))
        default: self = .cpu
        }
    }
}
