// Nothing is declared here. This target registers its operators with libtorch's dispatcher when the program is loaded
// (Operators.cpp), and callers find them by name, as they find libtorch's own: meno::rms_norm, ….
#pragma once
