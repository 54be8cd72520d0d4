__doc__ = """placeholder"""
