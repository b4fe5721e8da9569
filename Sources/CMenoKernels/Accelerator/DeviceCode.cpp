#include "DeviceCode.h"

#include "Emulation.h"

#include <c10/core/DeviceGuard.h>
#include <dlfcn.h>

#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
const char kSource[] = {
#embed "Layers.cu"
    , 0};
const char kFormulas[] = {
#embed "../Kernels/Formulas.h"
    , 0};
#pragma clang diagnostic pop

// What is needed of CUDA's runtime compiler and its driver, found in the libraries that libtorch loads for its own: building
// needs none of their headers.
struct Library {
    int (*create)(
        void **program, const char *source, const char *name, int count, const char *const *headers, const char *const *names);
    int (*compile)(void *program, int options, const char *const *);
    int (*log_size)(void *program, size_t *);
    int (*log)(void *program, char *);
    int (*code_size)(void *program, size_t *);
    int (*code)(void *program, char *);
    int (*destroy)(void **program);
    int (*attribute)(int *value, int attribute, int device);
    int (*load)(void **module, const void *code);
    int (*function)(void **function, void *module, const char *name);
    int (*launch)(
        void *function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned shared, void *stream, void **arguments,
        void **extra);
    int (*text)(int error, const char **);
    int (*context)(void **);
    int (*retain_context)(void **, int device);
    int (*set_context)(void *);
    // A function of libtorch's stable C interface.
    int (*stream)(int32_t device, void **);

    std::string fault;

    Library() {
        void *compiler = dlopen("libcaffe2_nvrtc.so", RTLD_NOW | RTLD_LOCAL);
        if (!compiler) {
            fault = dlerror();
            return;
        }
        find(create, compiler, "nvrtcCreateProgram");
        find(compile, compiler, "nvrtcCompileProgram");
        find(log_size, compiler, "nvrtcGetProgramLogSize");
        find(log, compiler, "nvrtcGetProgramLog");
        find(code_size, compiler, "nvrtcGetCUBINSize");
        find(code, compiler, "nvrtcGetCUBIN");
        find(destroy, compiler, "nvrtcDestroyProgram");
        find(attribute, compiler, "cuDeviceGetAttribute");
        find(load, compiler, "cuModuleLoadData");
        find(function, compiler, "cuModuleGetFunction");
        find(launch, compiler, "cuLaunchKernel");
        find(text, compiler, "cuGetErrorString");
        find(context, compiler, "cuCtxGetCurrent");
        find(retain_context, compiler, "cuDevicePrimaryCtxRetain");
        find(set_context, compiler, "cuCtxSetCurrent");
        find(stream, RTLD_DEFAULT, "aoti_torch_get_current_cuda_stream");
    }

    template <class Function>
    void find(Function &function, void *library, const char *name) {
        function = reinterpret_cast<Function>(dlsym(library, name));
        if (!function && fault.empty()) fault = std::string("no function ") + name;
    }
};

const Library &library() {
    static const Library loaded;
    return loaded;
}

void check(int error, const char *action) {
    if (error == 0) return;
    const char *text = nullptr;
    library().text(error, &text);
    // "out of memory" is known by this text.
    TORCH_CHECK(false, "CUDA: ", action, ": ", text ? text : "error ", text ? "" : std::to_string(error));
}

// Makes the context that libtorch works in that of this thread, where its runtime has not done so yet.
void enter(int device) {
    void *context = nullptr;
    check(library().context(&context), "context");
    if (context) return;
    check(library().retain_context(&context, device), "context");
    check(library().set_context(context), "context");
}

// The machine code for a device.
std::vector<char> compiled(int device) {
    const Library &cuda = library();
    int major = 0, minor = 0;
    check(cuda.attribute(&major, 75, device), "compute capability");
    check(cuda.attribute(&minor, 76, device), "compute capability");
    std::string architecture = "--gpu-architecture=sm_" + std::to_string(10 * major + minor);
    const char *options[] = {architecture.c_str(), "--std=c++17"};
    const char *headers[] = {kFormulas}, *names[] = {"../Kernels/Formulas.h"};
    void *program = nullptr;
    TORCH_CHECK(cuda.create(&program, kSource, "Layers.cu", 1, headers, names) == 0, "CUDA: no program could be made");
    int result = cuda.compile(program, 2, options);
    std::string text;
    std::vector<char> code;
    if (size_t size = 0; result != 0 && cuda.log_size(program, &size) == 0) {
        text.resize(size);
        cuda.log(program, text.data());
    }
    if (size_t size = 0; result == 0 && cuda.code_size(program, &size) == 0) {
        code.resize(size);
        cuda.code(program, code.data());
    }
    cuda.destroy(&program);
    TORCH_CHECK(!code.empty(), "CUDA: kernels do not compile for ", architecture, ": ", text);
    return code;
}

// In the order of Kernel, each with the ends for its types.
constexpr const char *kNames[][2] = {
#define MENO_NAMES(name) {#name "_float32", #name "_bfloat16"},
    MENO_DEVICE_KERNELS(MENO_NAMES)
#undef MENO_NAMES
};

size_t place(c10::ScalarType type) { return type == at::kBFloat16; }

// The kernels of one device.
class Kernels {
  public:
    explicit Kernels(int device) {
        if (!(fault_ = library().fault).empty()) return;
        try {
            std::vector<char> code = compiled(device);
            enter(device);
            void *module = nullptr;
            check(library().load(&module, code.data()), "loading kernels");
            for (size_t kernel = 0; kernel < std::size(kNames); ++kernel)
                for (size_t type = 0; type < 2; ++type) {
                    const char *name = kNames[kernel][type];
                    check(library().function(&functions_[kernel][type], module, name), name);
                }
        } catch (const c10::Error &error) {
            fault_ = error.what_without_backtrace();
        }
    }

    const std::string &fault() const { return fault_; }

    void *function(meno::device::Kernel kernel, c10::ScalarType type) const {
        return functions_[static_cast<size_t>(kernel)][place(type)];
    }

  private:
    std::string fault_;
    void *functions_[std::size(kNames)][2] = {};
};

const Kernels &kernels(int device) {
    static std::mutex mutex;
    static std::map<int, Kernels> all;
    std::lock_guard<std::mutex> lock(mutex);
    return all.try_emplace(device, device).first->second;
}

thread_local meno::device::Emulation emulation = nullptr;

}  // namespace

void meno::device::emulate(Emulation chosen) { emulation = chosen; }

bool meno::device::serves(const at::Tensor &tensor) { return tensor.is_cuda() || (emulation && tensor.is_cpu()); }

std::string meno::device::fault(c10::Device device) {
    if (emulation && device.is_cpu()) return "";
    if (!device.is_cuda()) return "not an NVIDIA GPU";
    try {
        c10::DeviceGuard guard(device);
        return kernels(device.index()).fault();
    } catch (const c10::Error &error) {
        return error.what_without_backtrace();
    } catch (...) {
        return "the device does not answer";
    }
}

bool meno::device::has_kernels(c10::Device device) { return fault(device).empty(); }

void meno::device::launch(Kernel kernel, const at::Tensor &like, Grid grid, void **arguments) {
    const char *name = kNames[static_cast<size_t>(kernel)][place(like.scalar_type())];
    if (like.is_cpu()) {
        bool done = emulation && emulation(name, grid.blocks, grid.columns, grid.rows, arguments);
        TORCH_CHECK(done, "there is no ", name, " on the CPU");
        return;
    }
    c10::DeviceGuard guard(like.device());
    int device = like.device().index();
    const Kernels &loaded = kernels(device);
    TORCH_CHECK(loaded.fault().empty(), loaded.fault());
    enter(device);
    void *stream = nullptr;
    TORCH_CHECK(library().stream(device, &stream) == 0, "CUDA: no current stream");
    check(
        library().launch(
            loaded.function(kernel, like.scalar_type()), static_cast<unsigned>(grid.blocks), 1, 1, grid.columns, grid.rows, 1,
            0, stream, arguments, nullptr),
        name);
}
