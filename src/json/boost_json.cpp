// The library is compiled here, with our flags and sanitizers, instead of being linked.
#include <boost/json/src.hpp>
