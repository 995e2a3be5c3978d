"""The chapter's exercises, worked: each measures, and leaves a page with its numbers and pictures.

Nothing else of `training` imports from here.
"""
