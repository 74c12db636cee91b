"""What a workspace holds, whole at any time: models, papers, promotions, the registry."""
