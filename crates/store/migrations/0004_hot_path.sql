-- Each verification asks whether the user is disabled. Almost nobody is: an index of those alone spares it the wide row of the user.
CREATE UNIQUE INDEX app_user_disabled ON app_user (user_id) WHERE disabled = TRUE;
