"""Factor analysis of survey answers: does the structure that a survey declares show in what its respondents say?"""
