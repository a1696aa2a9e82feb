/* version: of the generator; part of every cache key and of the PTX header. */
#ifndef WL_VERSION_H
#define WL_VERSION_H
#define WL_VERSION "0.1.0"
#endif
