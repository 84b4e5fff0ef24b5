"""Families of metrics that are on no panel, each with the reason."""

NOT_SHOWN = {
    "python_gc_collections_total": "of use to somebody who looks into the interpreter, not to an operator",
    "python_gc_objects_collected_total": "of use to somebody who looks into the interpreter, not to an operator",
    "python_gc_objects_uncollectable_total": "of use to somebody who looks into the interpreter, not to an operator",
    "python_info": "the version of Python is a label of flatfile_exporter_build_info",
    "process_virtual_memory_bytes": "address space says nothing of memory in use; resident memory is shown",
}
