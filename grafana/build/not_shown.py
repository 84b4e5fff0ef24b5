"""Families of metrics that no panel shows, each with the reason."""

NOT_SHOWN = {
    "flatfile_exporter_api_retries_total": "retried requests are among the requests and the errors, which are shown",
    "flatfile_exporter_api_response_bytes_total": "what the exporter costs an account is its requests, which are shown",
    "python_gc_collections_total": "for debugging the interpreter, not for an operator",
    "python_gc_objects_collected_total": "for debugging the interpreter, not for an operator",
    "python_gc_objects_uncollectable_total": "for debugging the interpreter, not for an operator",
    "python_info": "the version of Python is a label of flatfile_exporter_build_info",
    "process_virtual_memory_bytes": "address space says nothing of memory in use; resident memory is shown",
}
