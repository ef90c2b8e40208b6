# 割符: 画面とメールの文章(日本語)。同じ id と引数を en.ftl にも置く。

## 画面の枠
skip-to-main = 本文へ移動
language-switch = 言語の切替
person-name = { $name } 様
sign-out = ログアウト
help-desk = お問合せ先
menu = メニュー
crumbs = 現在の位置
title-problem = エラー:
problems-title = 入力内容をご確認ください
back-to-top = トップページへ戻る
back-to-users = 利用者(ユーザ)管理へ戻る
back-to-sign-in = ログイン画面へ戻る
error-code = エラーコード
support-id = お問合せ番号
moment = { $month }月{ $day }日({ $weekday ->
    [1] 月
    [2] 火
    [3] 水
    [4] 木
    [5] 金
    [6] 土
   *[7] 日
  }){ $time }({ $zone_key ->
    [asia-tokyo] 日本時間
   *[other] { $zone }
  })
since = { $at }から
times = { $n }回

## 言葉
login-id = ログインID
password = パスワード
name = 氏名
company = 会社名
role-label = 権限
role = { $role ->
    [master] マスターユーザ
    [administrator] 管理者ユーザ
   *[general] 一般ユーザ
  }
service-id = サービスID
token-user-id = ユーザID
one-time-password = ワンタイムパスワード
confirmation-password = 確認用パスワード
confirmation-password-hint = 大切な操作の前に、ご本人であることを確かめます。
token-state-label = トークンの状態
token-state = { $state ->
    [issued] 発行済み(アプリの設定待ち)
    [activated] アプリ設定済み(初回認証待ち)
    [in-use] 利用中
    [suspended] 利用停止
    [revoked] 失効
   *[none] 未発行
  }

## ログイン
sign-in-title = ログイン
sign-in-about = 会社で登録されたログインIDとパスワードを入力してください。
sign-in-button = ログイン
sign-in-signed-out = ログアウトしました。
sign-in-trouble-title = ログインできないとき
sign-in-trouble = パスワードをお忘れのときは、会社のマスターユーザまたは管理者ユーザにご相談ください。解決しないときは、下のお問合せ先までご連絡ください。

## トークン発行
issuance-title = ワンタイムパスワードトークン発行
issuance-about = スマートフォンのアプリで使うトークンを発行します。入力は2分ほどで終わります。
issuance-mail-legend = ご案内メールの送り先
issuance-allow-domain = 迷惑メールの設定をお使いの方は、先に「{ $domain }」からのメールを受信できるようにしてください。
mail-address = メールアドレス
mail-address-again = メールアドレス(確認)
mail-address-hint = アプリを入れる端末で受け取れるアドレスを入力してください。
issuance-password-legend = アプリの設定に使うパスワード
issuance-write-down = 決めた利用開始パスワードは、いまメモに控えてください。このあとアプリで1度だけ入力します。後から画面やメールで確かめることはできません。
activation-password = 利用開始パスワード
activation-password-again = 利用開始パスワード(確認)
activation-password-hint = ご自身で決めた{ $min }~{ $max }桁の数字です。この端末の外には送られません。
issuance-preparing = 準備をしています。しばらく待っても「トークン発行」を押せないときは、このページを読み込み直してください。
issuance-button = トークン発行
issuance-out-of-memory = この端末では暗号の計算に使うメモリが足りません。ほかのタブやアプリを閉じてから、もう一度お試しください。別の端末で発行することもできます。
issuance-step-prepare = 利用開始パスワードをこの端末の中で暗号にしています…
issuance-step-start = サーバに申し込んでいます…
issuance-step-protect = 申し込みの内容をこの端末の中で仕上げています…
issuance-step-finish = 発行を確定しています…

## 時計
clock-title = この端末の時計
clock-why = ワンタイムパスワードは現在の時刻から作られます。時計がずれていると認証できません。
clock-server-time = サーバの時刻は { $time } です。お使いの端末の時計と比べてください。
clock-checking = 時計を確かめています…
clock-right = この端末の時計は合っています。
clock-fast = この端末の時計は約%amount%進んでいます。
clock-slow = この端末の時計は約%amount%遅れています。
clock-mend = 端末の「設定」で日付と時刻の「自動設定」を有効にしてから、このページを読み込み直してください。アプリを入れる端末の時計も同じようにお確かめください。
clock-unknown = 時計を確かめられませんでした。通信の状態を確かめて、このページを読み込み直してください。

## 発行のあと
waiting-title = アプリで設定を完了してください
waiting-activated-title = アプリの設定が終わりました
waiting-expired-title = トークンの期限が切れました
waiting-locked-title = このトークンは使えなくなりました
waiting-about = トークンを発行しました。次の手順でアプリの設定を進めてください。
waiting-step-mail = メールを開く
waiting-step-mail-about = サービスIDとユーザIDが書かれています。
waiting-step-app = アプリを用意する
waiting-step-app-about = まだの方は、ダウンロードページから入れてください。お持ちの方は、アプリで「トークンの追加」を選びます。
waiting-step-send = アプリに入力して「送信」を押す
waiting-step-send-about = サービスID、ユーザIDと、先ほど決めた利用開始パスワードを入力します。
waiting-step-code = 「次へ」を押して、この画面に戻る
waiting-step-code-about = アプリの設定が終わると、この画面は自動で切り替わります。
waiting-state-title = 発行の状況
waiting-user-id-in-mail = メールに記載しています
waiting-mail-to = メールの送り先
waiting-mail-state = メールの状況
mail-queued = 送信待ち
mail-sent = 送信済み
mail-failed = 送信できませんでした
waiting-mail-failed = メールを送信できませんでした。送り先をお確かめください。正しければ「メールを再送」を、違っていれば「はじめからやり直す」を押してください。
waiting-expires = 設定の期限
waiting-starts-left = アプリで入力できる残りの回数
waiting-day-used-up = 今日は、アプリで入力できる回数を使い切りました。明日もう一度お試しになるか、お問合せ先までご連絡ください。
waiting-send-again-about = 数分待っても届かないときは、迷惑メールのフォルダも確かめてから再送してください。
waiting-send-again = メールを再送
waiting-sent-again = メールの再送を受け付けました。
waiting-done-title = アプリに数字が表示されたら
waiting-done-about = この画面が切り替わらないときは、こちらからお進みください。
waiting-to-verification = ワンタイムパスワード認証確認へ
waiting-activated = 続けて、アプリに表示されているワンタイムパスワードを入力してください。
waiting-start-over-title = 入力を間違えたとき
waiting-start-over-about = メールアドレスを間違えたときや、利用開始パスワードを忘れたときは、発行をやり直せます。いまのトークンは取り消されます。
waiting-start-over = はじめからやり直す

## ダウンロード
download-title = アプリのダウンロード
download-about = ワンタイムパスワードを表示するアプリです。1つを選んで、お使いの端末に入れてください。
download-your-device = お使いの端末向け
download-apple = iPhone・iPad
download-apple-about = App Store から入れます。
download-apple-open = App Store を開く
download-google = Android
download-google-about = Google Play から入れます。
download-google-open = Google Play を開く
download-web = ウェブアプリ
download-web-about = ブラウザで開き、ホーム画面に追加して使います。スマートフォンでもパソコンでも使えます。
download-web-open = このウェブアプリを入れる
download-not-offered = このサービスでは配布していません。ほかの方法をお選びください。
download-terminal = パソコンのターミナル
download-terminal-about = コマンドで使うこともできます。利用開始パスワードは標準入力から読み取ります。
download-next-title = アプリを入れたら
download-next-open = アプリを開き、メールにあるサービスIDとユーザIDを入力します。
download-next-enter = 発行のときに決めた利用開始パスワードを入力し、「送信」を押します。
download-next-code = 完了の画面で「次へ」を押すと、ワンタイムパスワードが表示されます。
download-have-app = すでにアプリをお持ちの方は、新しく入れる必要はありません。アプリで「トークンの追加」を選んでください。1台に10件まで登録できます。

## 認証確認
verification-title = ワンタイムパスワード認証確認
verification-about = アプリに表示されているワンタイムパスワードを入力してください。
verification-about-first = はじめての認証です。アプリに表示されているワンタイムパスワードを入力すると、設定がすべて完了します。
one-time-password-hint = { $digits }桁の数字です。
verification-button = 認証確認
verification-trouble-title = うまくいかないとき
verification-trouble-wait = 一度使った数字は使えません。アプリの数字が変わるのを待って入力してください。
verification-trouble-lost = アプリを使えなくなったときや機種を変えたときは、会社のマスターユーザまたは管理者ユーザに「トークンの失効」を依頼し、発行し直してください。

## 先へ進めないとき
suspended-title = ワンタイムパスワードは利用停止中です
revoked-title = トークンは失効しています
refused-next-title = 次にすること
suspended-next-ask = 上に書かれている方に、利用停止の解除を依頼してください。
suspended-next-where = 依頼された方は「管理」→「利用者(ユーザ)管理」→「ワンタイムパスワードの利用停止解除」で解除できます。
suspended-next-sign-in = 解除されたら、もう一度ログインしてください。
suspended-next-help-desk = 会社の中に解除できる方がいません。次のお問合せ先までご連絡ください。
revoked-next = 時間になりましたら、もう一度ログインしてください。新しいトークンの発行画面に進みます。

## トップページ
top-title = トップページ
top-welcome = { $name } 様、ログインしました。
top-you = ご利用の状況
last-sign-in = 前回のログイン
top-advice-title = 管理者ユーザの登録をお勧めします
top-advice = いまの登録では、マスターユーザが利用停止になったときに、会社の中で解除できる方がいません。登録の方法は、お問合せ先にご相談ください。

## 管理
manage = 管理
manage-choice-about = 利用停止の解除と、トークンの失効ができます。
manage-about = 業務を選んでください。
manage-users = 利用者(ユーザ)管理
manage-users-choice-about = 会社の利用者のワンタイムパスワードを管理します。
manage-users-about = 作業を選んでください。
release-title = ワンタイムパスワードの利用停止解除
release-choice-about = 間違いが続いて利用停止になった利用者を、また使えるようにします。
revoke-title = トークンの失効
revoke-choice-about = 機種変更や紛失のときに、いまのトークンを使えなくします。
release-about = 解除する利用者を選び、確認用パスワードを入力してください。
revoke-about = 失効する利用者を選び、確認用パスワードを入力してください。
release-caption = 利用停止中の利用者
revoke-caption = トークンのある利用者
release-empty = 利用停止中の利用者はいません。
revoke-empty = 失効できるトークンはありません。
revoke-warning = 失効は元に戻せません。失効した利用者は、すぐにログインできなくなります。また使うには、新しいトークンの発行とアプリの設定が必要です。
choose = 選択
choose-user = { $name }({ $login })を選択
select-all = すべて選択
nobody-to-choose = この一覧に、あなたが操作できる利用者はいません。理由は各行をご覧ください。
release-button = 停止解除
revoke-button = 失効
release-result-title = ワンタイムパスワード利用停止解除結果
revoke-result-title = トークン失効結果
release-result = { $refused ->
    [0] { $done }人の利用停止を解除しました。
   *[other] { $done }人の利用停止を解除しました。{ $refused }人は解除できませんでした。理由をご確認ください。
  }
revoke-result = { $refused ->
    [0] { $done }人のトークンを失効しました。
   *[other] { $done }人のトークンを失効しました。{ $refused }人は失効できませんでした。理由をご確認ください。
  }
result-caption = 利用者ごとの結果
result = 結果
released = 解除しました
revoked = 失効しました
refused = できませんでした
release-result-next = 解除した方に、もう一度ログインするようお伝えください。
revoke-result-next = 失効した方は、{ $opens }以降にログインして、新しいトークンを発行できます。
revoke-result-next-now = 失効した方は、いまからログインして、新しいトークンを発行できます。

## デモ
demo-label = デモ
demo-about = 本物の取引はありません。メールは外に送られません。
demo-mails = 届いたメール
demo-accounts = お試し用の利用者
demo-accounts-about = このデモのための利用者です。どの利用者でもログインできます。
demo-accounts-caption = 利用者とパスワード
demo-to-sign-in = ログイン画面へ
demo-mails-about = デモでは、メールは外に送られず、ここに届きます。
demo-mails-empty = メールはまだありません。トークンを発行すると、ここに届きます。
demo-mails-caption = メール(新しい順)
mail-subject = 件名
mail-to = 宛先
mail-from = 差出人
mail-at = 日時: { $at }
mail-body = 本文
mail-when = 日時

## お断りと障害
not-found-title = ページが見つかりません
error-title = 手続きを完了できませんでした
error-sign-in-refused = ログインIDまたはパスワードが正しくありません。確かめて、もう一度入力してください。お忘れのときは、会社のマスターユーザまたは管理者ユーザにご相談ください。
error-sign-in-slowed = 間違いが続いたため、しばらくログインできません。{ $seconds }秒待ってから、もう一度入力してください。お困りのときは、お問合せ先までご連絡ください。
error-user-suspended = 間違ったワンタイムパスワードが続いたため、利用を停止しています。{ $who ->
    [master_or_administrator] マスターユーザまたはほかの管理者ユーザが解除できます。
    [administrator] 管理者ユーザが解除できます。
   *[help_desk] お問合せ先までご連絡ください。
  }
error-reissue-not-yet = トークンが失効したため、いまはログインとトークンの発行ができません。{ $opens }以降に、もう一度ログインしてください。お急ぎのときは、お問合せ先までご連絡ください。
error-mail-mismatch = 2つのメールアドレスが違っています。同じものを入力してください。
error-mail-invalid = メールアドレスの形が正しくありません。「name@example.co.jp」のような形で入力してください。
error-activation-password-mismatch = 2つの利用開始パスワードが違っています。同じものを入力してください。
error-activation-password-length = 利用開始パスワードは{ $min }~{ $max }桁で入力してください。
error-activation-password-not-digits = 利用開始パスワードには数字だけを使ってください。
error-activation-password-trivial = この利用開始パスワードは推測されやすいため使えません。同じ数字の繰り返し、続き番号、日付を避けてください。
error-code-format = ワンタイムパスワードは{ $digits }桁の数字です。アプリの表示を確かめて入力してください。
error-code-wrong = ワンタイムパスワードが正しくありません。アプリに表示されている数字を入力してください。あと{ $tries_left }回間違えると利用停止になります。
error-code-already-used = このワンタイムパスワードは使用済みです。アプリの数字が変わるのを待って、新しい数字を入力してください。
error-code-suspended-now = 間違ったワンタイムパスワードが続いたため、利用を停止しました。{ $who ->
    [master_or_administrator] マスターユーザまたはほかの管理者ユーザが解除できます。
    [administrator] 管理者ユーザが解除できます。
   *[help_desk] お問合せ先までご連絡ください。
  }
error-confirmation-password-wrong = 確認用パスワードが正しくありません。ログインのパスワードとは別のものです。確かめて、もう一度入力してください。お忘れのときは、お問合せ先までご連絡ください。
error-nobody-selected = 利用者が選ばれていません。1人以上を選んでください。
error-not-permitted = この操作をする権限がありません。マスターユーザまたは管理者ユーザに依頼してください。
error-not-suspended = この利用者は利用停止ではありません。すでに解除されている場合があります。一覧を開き直してください。
error-token-expired = このトークンは有効期限が切れたため、ワンタイムパスワードを確認できません。回数には数えられていません。パスワードでログインし直すと、すぐに新しいトークンを発行できます。
error-no-token = この利用者には失効できるトークンがありません。一覧を開き直してください。
error-self-release = ご自身の利用停止は解除できません。マスターユーザまたはほかの管理者ユーザに依頼してください。
error-release-only-revocation = 間違いが続けて{ $run }回になったため、解除できません。トークンを失効し、発行し直してください。
error-token-already-in-use = すでにトークンをご利用中です。新しく発行するには、先にマスターユーザまたは管理者ユーザにトークンの失効を依頼してください。
error-issuance-expired = 設定の期限が過ぎました。トークンを発行し直してください。
error-issuance-locked = 間違った入力が続いたため、このトークンは使えません。トークンを発行し直してください。
error-issuance-cancelled = このトークンは取り消されています。新しいメールのユーザIDを使うか、トークンを発行し直してください。
error-already-activated = このトークンは別の端末で設定されています。心当たりがないときは、すぐにマスターユーザ、管理者ユーザまたはお問合せ先にトークンの失効を依頼してください。
error-activation-attempt-over = この設定の手続きは期限が切れました。アプリで、はじめから入力してください。
error-activation-refused = サービスID、ユーザID、利用開始パスワードのいずれかが正しくありません。メールとメモを確かめて入力してください。続けて失敗するときは、トークンを発行し直してください。
error-no-issuance = アプリの設定を待っているトークンがありません。ログインして、トークンを発行してください。
error-activation-message = アプリとの通信を正しく受け取れませんでした。アプリを最新にして、もう一度お試しください。続くときは、お問合せ先までご連絡ください。
error-activation-gone = 期限までに認証確認が行われなかったため、このトークンは失効しました。ログインして、トークンを発行し直してください。
error-device-message = アプリからの問い合わせを正しく受け取れませんでした。アプリを最新にして、もう一度お試しください。続くときは、お問合せ先までご連絡ください。
error-device-refused = このトークンは確認できませんでした。アプリの画面を開き直しても続くときは、パスワードでログインして、トークンを発行し直してください。
error-renewal-not-open = このトークンは、いまは更新できません。更新できる時期は、アプリの画面でご確認ください。利用停止または失効しているときは、マスターユーザまたは管理者ユーザにご相談ください。
error-app-full = このアプリには10件まで登録できます。使っていないトークンを削除してから、もう一度追加してください。
error-two-operators-needed = この操作には、もう1人の担当者の承認が必要です。別の担当者に承認を依頼してください。
error-busy = ただいま大変混み合っています。入力された内容は確認されておらず、回数にも数えられていません。数秒待ってから、もう一度お試しください。
error-clock-unsure = サービスの時計が正しいか確認できないため、ワンタイムパスワードを確認できません。回数には数えられていません。しばらくしてからもう一度お試しください。お急ぎのときは、お問合せ先までご連絡ください。
error-raced = 同じ利用者への操作が同時に行われたため、完了できませんでした。画面を開き直して、もう一度お試しください。
error-too-many-requests = 短い間に操作が続いたため、受け付けられません。{ $seconds }秒待ってから、もう一度お試しください。お困りのときは、お問合せ先までご連絡ください。
error-session-expired = しばらく操作がなかったか、ワンタイムパスワードが停止または失効したため、ログアウトしました。もう一度ログインしてください。
error-form-expired = ページの有効期限が切れたため、受け付けませんでした。ページを開き直して、もう一度入力してください。
error-internal = 申し訳ございません。システムの不具合により完了できませんでした。しばらくしてからもう一度お試しください。続くときは、お問合せ番号 { $support } を添えてお問合せ先までご連絡ください。
error-not-found = ページの場所が変わったか、アドレスが間違っています。トップページからお進みください。見つからないときは、お問合せ先までご連絡ください。
error-service-unavailable = サーバにつながらないか、混み合っています。通信の状態を確かめ、少し待ってからもう一度お試しください。続くときは、お問合せ先までご連絡ください。
error-scripts-needed = このページでは JavaScript が必要です。利用開始パスワードを端末の外に出さずに処理するためです。ブラウザの設定で有効にして読み込み直すか、ほかのブラウザをお使いください。
error-user-disabled = この利用者は利用できない状態のため、トークンを発行できません。
error-api-key-refused = APIキーがないか、正しくないか、期限が切れています。ヘッダー Authorization: Bearer KEY に有効なキーを入れて送ってください。新しいキーは、運用者が warifu api-client rotate で作れます。
error-scope-missing = このAPIクライアントには、この操作の権限がありません。必要なスコープを持つクライアントは、運用者が作れます。
error-network-not-allowed = このAPIクライアントは、このネットワークアドレスからは利用できません。許可するアドレスは運用者が決めています。
error-idempotency-key-format = ヘッダー Idempotency-Key は、表示できるASCII文字1~255字で、1回だけ送ってください。別のキーを選んでください。
error-idempotency-key-reused = この冪等キーは別の要求で使われています。何も行いませんでした。新しいキーで送ってください。
error-method-not-allowed = このアドレスでは、そのメソッドは使えません。使えるものはヘッダー Allow にあります。
error-media-type = 本文はJSONで、ヘッダー Content-Type: application/json を付けて送ってください。
error-body-too-large = 本文が大きすぎます。一度に送る量を減らしてください。
error-request-body = 本文がJSONではありません。{ $line }行{ $column }文字目を確かめてください。
error-request-fields = 本文の項目が決まりと違います。{ $line }行{ $column }文字目と、/api/v1/docs の説明を確かめてください。
error-request-query = アドレスの「?」より後ろを読めません。書けるものは /api/v1/docs にあります。
api-error-not-found = このクライアントから見える範囲に、そのアドレス、サービス、契約、利用者はありません。
api-error-no-token = この利用者には有効なトークンがありません。新しく発行できます。
api-error-not-suspended = この利用者のトークンは利用停止ではありません。すでに解除されている場合があります。
api-error-release-only-revocation = 最後に正しいコードが入力されてからの間違いが多すぎるため、解除できません。トークンを失効し、発行し直してください。
api-error-raced = 同じ利用者への操作が同時に行われたため、何も行いませんでした。もう一度送ってください。
api-error-form-expired = この発行は、最後に始めたものではないか、始められていません。何も行いませんでした。はじめからやり直してください。
api-error-no-issuance = アプリの設定を待っているこの利用者のトークンはありません。
api-error-code-format = コードはちょうど{ $digits }桁のASCII数字で送ってください。判定も回数の加算もしていません。

## メール
mail-greeting = { $name } 様
mail-unexpected = お心当たりがないときは、すぐに下記のお問合せ先までご連絡ください。
mail-no-reply = このメールには返信できません。
mail-token-subject = トークン発行のお知らせ - { $service }
mail-token-lead =
    { $service }のワンタイムパスワードトークンを発行しました。
    次の2つをアプリに入力してください。
mail-token-download = アプリのダウンロード:
mail-token-steps =
    1. アプリを開き、上の2つを入力します。すでにアプリをお持ちの方は「トークンの追加」を選びます。
    2. 発行のときに決めた利用開始パスワードを入力し、「送信」を押します。
    3. 完了の画面で「次へ」を押すと、ワンタイムパスワードが表示されます。
mail-token-expires = 設定の期限: { $at }
mail-token-safety = パスワードをメールや電話でお尋ねすることはありません。
mail-activated-subject = アプリの設定が完了しました
mail-activated = ワンタイムパスワードのアプリの設定が完了しました。
mail-activated-next = 次のログインから、アプリに表示されるワンタイムパスワードをお使いください。
mail-suspended-subject = ワンタイムパスワードを利用停止にしました
mail-suspended = 間違ったワンタイムパスワードが続いたため、利用を停止しました。
mail-suspended-next = { $who ->
    [master_or_administrator] マスターユーザまたはほかの管理者ユーザに、利用停止の解除を依頼してください。
    [administrator] 管理者ユーザに、利用停止の解除を依頼してください。
   *[help_desk] 解除については、下記のお問合せ先までご連絡ください。
  }
mail-released-subject = ワンタイムパスワードの利用停止を解除しました
mail-released = ワンタイムパスワードの利用停止を解除しました。
mail-released-next = もう一度ログインして、アプリに表示されるワンタイムパスワードを入力してください。
mail-revoked-subject = トークンを失効しました
mail-revoked = お使いのトークンを失効しました。アプリに残っている数字は使えません。
mail-revoked-next = { $opens }以降にログインして、新しいトークンを発行できます。
mail-revoked-next-now = いまからログインして、新しいトークンを発行できます。
mail-renewed-subject = トークンの有効期限を更新しました
mail-renewed = アプリからの手続きにより、トークンの有効期限を{ $ends }まで更新しました。
mail-renewed-endless = アプリからの手続きにより、トークンの有効期限がなくなりました。
mail-renewed-next = ワンタイムパスワードは、これまでどおりお使いいただけます。お手元にアプリの入った端末がないときは、会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼してください。
mail-second-device-subject = 別の端末からの設定をお断りしました
mail-second-device = 設定の済んだトークンを、別の端末で設定しようとする操作がありました。操作はお断りし、いまのトークンはそのまま使えます。
mail-second-device-next = ご自身の操作でなければ、会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼してください。
mail-address-changed-subject = メールアドレスが変更されました
mail-address-changed = トークン発行の際に、トークンのメールをお送りするメールアドレスが変更されました。
mail-address-changed-next = ご自身の操作でなければ、会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼してください。
mail-colleague-suspended-subject = 利用者が利用停止になりました
mail-colleague-suspended = { $user }のワンタイムパスワードが、間違いが続いたため利用停止になりました。
mail-colleague-suspended-next = ご本人に事情を確かめたうえで、「管理」の「利用者(ユーザ)管理」から解除してください。
mail-colleague-revoked-subject = 利用者のトークンが失効しました
mail-colleague-revoked = { $user }のトークンが失効しました。
mail-colleague-revoked-next = ご本人が新しいトークンを発行するまで、ログインできません。

## 端末のアプリ(warifu authenticator)
app-starting = サーバーに接続しています…
app-checking = 利用開始パスワードを確かめています…
app-finishing = 設定を完了しています…
app-added = トークン「{ $name }」を設定しました。
app-dropped = トークン「{ $name }」の設定は完了できなかったため、取り消しました。{ $reason }
app-countdown = 「{ $name }」のワンタイムパスワード(q で終了)
app-list-empty = この端末にトークンはありません。「warifu authenticator add」で追加してください。
app-state = { $state ->
    [active] 利用可
    [pending] 設定の完了待ち
   *[started] 設定の途中
  }
app-home-missing = トークンの保存場所がわかりません。--home で指定してください。
app-waiting = ほかのコマンドの終了を待っています…
app-storage = この端末のトークンを読み書きできません。保存されている内容は変えていません。詳細: { $detail }
app-missing = { $flag } を指定してください。
app-server = サーバーの接続先(https://…)
app-server-form = サーバーの接続先を https://bank.example のように指定してください。
app-server-clear = 暗号化されない接続先(http://)は、この端末自身のときだけ使えます。https:// で始まる接続先を指定してください。
app-service-id-form = サービスIDが正しくありません。メールに書かれたとおりに入力してください。
app-user-id-form = ユーザIDは{ $digits }桁の数字です。メールに書かれたとおりに入力してください。
app-user-id-mistyped = ユーザIDに打ち間違いがあります。メールをもう一度ご確認ください。まだ何も送信していません。
app-password-prompt = 利用開始パスワード
app-password-missing = 利用開始パスワードを入力できません。端末で実行するか、--activation-password-stdin を付けて標準入力から渡してください。
app-unreachable = サーバーに接続できませんでした。入力した内容は失われていません。しばらくしてから、同じコマンドをもう一度実行してください。詳細: { $detail }
app-bad-answer = 応答したのは割符のサーバーではないようです。接続先をご確認のうえ、同じコマンドをもう一度実行してください。続くときは、お問合せ先までご連絡ください。
app-refused = サーバーに受け付けられませんでした({ $code })。しばらくしてから、同じコマンドをもう一度実行してください。
app-not-computed = 計算に必要なメモリ(64 MiB)を確保できませんでした。ほかのプログラムを終了してから、同じコマンドをもう一度実行してください。
app-not-found = その番号のトークンはありません。「warifu authenticator list」でご確認ください。
app-not-active = このトークンの設定はまだ完了していません。同じ内容で「warifu authenticator add」をもう一度実行してください。
app-name-one = トークンが複数あります。--id で1つ指定してください。
app-name-form = 名前は1~{ $max }文字で指定してください。制御文字は使えません。
app-remove-warning = トークン「{ $name }」をこの端末から削除すると、元に戻せません。もう一度使うには、トークンの失効と再発行が必要です。
app-remove-question = 削除しますか。
app-remove-yes-needed = 確認のため、--yes を付けて実行してください。
app-removed = 削除しました。
app-clock-slow = この端末の時計は、サーバーより { $amount } 遅れています。ワンタイムパスワードは補正して表示しています。日付と時刻の自動設定を有効にしてください。
app-clock-fast = この端末の時計は、サーバーより { $amount } 進んでいます。ワンタイムパスワードは補正して表示しています。日付と時刻の自動設定を有効にしてください。
