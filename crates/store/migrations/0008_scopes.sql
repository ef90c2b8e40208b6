-- The scope `webhooks` opened no operation: whoever was given it may do what they could before. It was the last of the words, in the order in which they are stored.

UPDATE api_client SET scopes = TRIM(REPLACE(scopes, 'webhooks', '')), version = version + 1 WHERE scopes LIKE '%webhooks';
