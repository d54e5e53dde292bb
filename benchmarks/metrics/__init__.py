"""Metrics of generated pictures and texts, and of shot detection.

image_distribution    FID, KID, CMMD of each generator's pictures; fid_kid_cmmd has the formulas
clip_score            CLIPScore and recall of a picture's own text consistency           margins of
similarity within a story; consistency_features, panel_labels near_copies           repeated panels
and copies of training pictures texts                 the tables of texts; self_bleu, entity_grid,
perplexity have the measures tfidf                 the most similar of known texts encoders
networks that turn pictures and texts into features; feature_cache shot_detection        cuts and
fades against the sample's ground truth; shot_scores
"""
