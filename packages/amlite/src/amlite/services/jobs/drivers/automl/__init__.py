"""Searches for the best model of a table: fits candidates, scores them, and writes each as an MLflow model.

Started as a program with the path of a JSON file: see `settings` in the kind `automl`. Each trial is a process of its
own, which is ended at the trial's time limit. The program appends what happens to the file `reports`, one JSON object
on each line, and writes the files of the trial `n` into `<artifacts>/<n>`.
"""
