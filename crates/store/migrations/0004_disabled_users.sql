-- Each verification asks whether the token's user is disabled. Few are: the answer is found without their wide rows.
CREATE INDEX app_user_disabled ON app_user (user_id) WHERE disabled = TRUE;
