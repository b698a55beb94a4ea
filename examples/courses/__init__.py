"""Courses: a rule that spans several entities, kept by a decision.

``enrolment.py`` is the whole domain. A course has a capacity, and a student may take so many
courses, so no single aggregate can hold both rules.
"""
