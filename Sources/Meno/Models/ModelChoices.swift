package import MenoConfiguration
package import MenoTensor

extension RunConfiguration.Precision {
    /// - Parameter automatic: what `auto` means.
    package func dtype(automatic: DType = .bfloat16) -> DType {
        switch self {
        case .auto: automatic
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .float16: .float16
        }
    }
}

extension RunConfiguration.DeviceChoice {
    package func device() throws -> Device {
        let device: Device =
            switch self {
            case .auto: .best
            case .cpu: .cpu
            case .cuda: .cuda
            case .mps: .mps
            }
        guard device == .cpu || Device.count(of: device.kind) > 0 else {
            throw ConfigurationError(
                .invalid, at: "device", "there is no \(rawValue) device that this libtorch can use.",
                advice: "Use auto or cpu.", settings: [.device])
        }
        return device
    }
}
